package import Cryptography
internal import Vocabulary

/// The labelled constructions of RFC 9420 §5.1.2, §5.1.3, §5.2, §8: none of their outputs serves for another purpose.
extension SuiteProvider {
    // MARK: Key derivation (§8)

    package func expand(_ secret: Secret, label: String, context: [UInt8] = [], count: Int) -> Secret {
        var info = ByteWriter(reservingCapacity: 16 + label.utf8.count + context.count)
        info.write(UInt16(truncatingIfNeeded: count))
        info.write(label: label)
        info.write(opaque: context)
        return expand(secret, info: info.bytes, count: count)
    }

    package func derive(_ secret: Secret, _ label: String) -> Secret {
        expand(secret, label: label, count: hashLength)
    }

    /// DeriveTreeSecret (§9.1).
    package func expand(_ secret: Secret, label: String, generation: UInt32, count: Int) -> Secret {
        expand(secret, label: label, context: withUnsafeBytes(of: generation.bigEndian) { Array($0) }, count: count)
    }

    package var zeros: Secret { Secret([UInt8](repeating: 0, count: hashLength)) }

    // MARK: References (§5.2)

    package func reference(_ label: String, _ value: [UInt8]) -> [UInt8] {
        var input = ByteWriter(reservingCapacity: label.utf8.count + value.count + 8)
        input.write(opaque: Array(label.utf8))
        input.write(opaque: value)
        return hash(input.bytes)
    }

    // MARK: Signatures (§5.1.2)

    package func sign(_ content: [UInt8], label: String, with key: SignatureKeyPair) -> [UInt8] {
        sign(labelled(label, content), with: key)
    }

    package func isValid(_ signature: [UInt8], over content: [UInt8], label: String, by publicKey: [UInt8]) -> Bool {
        isValid(signature, over: labelled(label, content), by: publicKey)
    }

    // MARK: Public key encryption (§5.1.3)

    package func sealer(label: String, context: [UInt8]) -> HybridSealer { sealer(info: labelled(label, context)) }

    package func seal(
        _ plaintext: [UInt8], to publicKey: [UInt8], label: String, context: [UInt8],
        using random: inout some RandomNumberGenerator
    ) throws(CryptoError) -> HPKECiphertext {
        try sealer(label: label, context: context).seal(plaintext, publicKey, random.secret(seedLength))
    }

    package func open(
        _ sealed: HPKECiphertext, with key: EncapsulationKey, label: String, context: [UInt8]
    ) throws(MLSError) -> [UInt8] {
        do { return try openHybrid(sealed, with: key, info: labelled(label, context)) } catch { throw .decryptionFailed(label) }
    }

    /// SignContent and EncryptContext: the label, then the content.
    private func labelled(_ label: String, _ content: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: label.utf8.count + content.count + 16)
        writer.write(label: label)
        writer.write(opaque: content)
        return writer.bytes
    }
}

extension ByteWriter {
    fileprivate mutating func write(label: String) {
        write(length: 8 + label.utf8.count)
        write(fixed: mlsPrefix)
        write(fixed: label.utf8)
    }
}

private let mlsPrefix = Array("MLS 1.0 ".utf8)
