internal import Cryptography
internal import Vocabulary

/// Remembers which signatures of leaves and key packages held, so that a program checks none twice: a key package that was fetched and is
/// then added, a commit that is looked at before it is taken, a group that is joined anew, many members in one process. Only what held
/// is remembered, under a hash of all that was signed, the signature and the place: so nothing passes that would not pass by itself. The
/// caller bounds it as it likes: what is forgotten is checked again. May be asked by several threads (`GroupHost.spread`).
public protocol SignatureMemory: Sendable {
    func contains(_ digest: [UInt8]) -> Bool
    func insert(_ digest: [UInt8])
}

extension GroupHost {
    func isSigned(_ leaf: LeafNode, group: [UInt8], at index: UInt32, _ suite: any SuiteProvider) -> Bool {
        remembering(suite) {
            var writer = ByteWriter(reservingCapacity: leaf.encoded.count + group.count + 16)
            writer.write(UInt8(1))
            writer.write(suite.cipherSuite.rawValue)
            // Out of a key package a leaf is signed for no place.
            if case .keyPackage = leaf.source {
                writer.write(UInt8(0))
            } else {
                writer.write(UInt8(1))
                writer.write(opaque: group)
                writer.write(index)
            }
            writer.write(leaf)
            return writer.bytes
        } check: {
            leaf.isSigned(group: group, leaf: index, suite)
        }
    }

    func isSigned(_ package: KeyPackage, _ suite: any SuiteProvider) -> Bool {
        remembering(suite) {
            var writer = ByteWriter(reservingCapacity: package.encoded.count + 8)
            writer.write(UInt8(2))
            writer.write(suite.cipherSuite.rawValue)
            writer.write(package)
            return writer.bytes
        } check: {
            package.isSigned(suite)
        }
    }

    private func remembering(_ suite: any SuiteProvider, _ signed: () -> [UInt8], check: () -> Bool) -> Bool {
        guard let signatures else { return check() }
        let digest = suite.hash(signed())
        if signatures.contains(digest) { return true }
        guard check() else { return false }
        signatures.insert(digest)
        return true
    }
}
