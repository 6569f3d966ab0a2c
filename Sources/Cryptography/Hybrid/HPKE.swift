/// LabeledExtract and LabeledExpand of RFC 9180 §4.
enum Labeled {
    static func extract<D: KeyDerivation>(
        _: D.Type, salt: Secret?, suite: [UInt8], label: StaticString, material: Secret?
    ) -> Secret {
        D.extract(salt: salt, prefix: prefix(suite, label), material: material)
    }

    static func expand<D: KeyDerivation>(
        _: D.Type, _ key: Secret, suite: [UInt8], label: StaticString, info: [UInt8], count: Int
    ) -> Secret {
        var full: [UInt8] = [UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
        full.reserveCapacity(64 + info.count)
        append(suite, label, to: &full)
        full.append(contentsOf: info)
        return D.expand(key, info: full, count: count)
    }

    static func prefix(_ suite: [UInt8], _ label: StaticString) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(48)
        append(suite, label, to: &bytes)
        return bytes
    }

    private static let version = Array("HPKE-v1".utf8)

    private static func append(_ suite: [UInt8], _ label: StaticString, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: version)
        bytes.append(contentsOf: suite)
        label.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }
}

/// Hybrid public key encryption in base mode (RFC 9180 §5, §6), one message a context.
public enum HPKE<K: KeyEncapsulation, D: KeyDerivation, A: AuthenticatedEncryption> {
    /// The part of the key schedule that depends on `info` alone: worked out once for many recipients of one message.
    public struct Info: Sendable {
        fileprivate let context: [UInt8]

        public init(_ info: [UInt8]) {
            let base = D.extract(salt: nil, prefix: Labeled.prefix(HPKE.suite, "psk_id_hash"), material: nil)
            let hash = D.extract(salt: nil, prefix: Labeled.prefix(HPKE.suite, "info_hash") + info, material: nil)
            context = [0] + base.copyBytes() + hash.copyBytes()
        }
    }

    private static var suite: [UInt8] {
        var bytes = Array("HPKE".utf8)
        for id in [K.identifier, D.identifier, A.identifier] {
            bytes.append(UInt8(id >> 8))
            bytes.append(UInt8(truncatingIfNeeded: id))
        }
        return bytes
    }

    /// SealBase (§6.1) with a nonce sequence of zero.
    /// - Parameter seed: fresh randomness of the KEM's `seedLength`.
    public static func seal(
        _ plaintext: [UInt8], to publicKey: [UInt8], info: Info, seed: Secret
    ) throws(CryptoError) -> (output: [UInt8], ciphertext: [UInt8]) {
        let (shared, output) = try K.encapsulate(to: publicKey, seed: seed)
        let (key, nonce) = keys(shared, info)
        return (output, try A.seal(plaintext, key: key, nonce: nonce, authenticating: []))
    }

    /// OpenBase (§6.1).
    public static func open(
        _ ciphertext: [UInt8], output: [UInt8], with key: EncapsulationKey, info: Info
    ) throws(CryptoError) -> [UInt8] {
        let (aead, nonce) = keys(try K.decapsulate(output, with: key), info)
        return try A.open(ciphertext, key: aead, nonce: nonce, authenticating: [])
    }

    /// SetupBaseS and export (§6.2), for the external init of RFC 9420 §8.3.
    public static func exportSending(
        to publicKey: [UInt8], info: Info, context: [UInt8], count: Int, seed: Secret
    ) throws(CryptoError) -> (output: [UInt8], secret: Secret) {
        let (shared, output) = try K.encapsulate(to: publicKey, seed: seed)
        return (output, export(shared, info, context, count))
    }

    public static func exportReceiving(
        _ output: [UInt8], with key: EncapsulationKey, info: Info, context: [UInt8], count: Int
    ) throws(CryptoError) -> Secret {
        export(try K.decapsulate(output, with: key), info, context, count)
    }

    private static func keys(_ shared: Secret, _ info: Info) -> (Secret, [UInt8]) {
        let suite = suite
        let secret = Labeled.extract(D.self, salt: shared, suite: suite, label: "secret", material: nil)
        let key = Labeled.expand(D.self, secret, suite: suite, label: "key", info: info.context, count: A.keyLength)
        let nonce = Labeled.expand(D.self, secret, suite: suite, label: "base_nonce", info: info.context, count: A.nonceLength)
        return (key, nonce.copyBytes())
    }

    private static func export(_ shared: Secret, _ info: Info, _ context: [UInt8], _ count: Int) -> Secret {
        let secret = Labeled.extract(D.self, salt: shared, suite: suite, label: "secret", material: nil)
        let exporter = Labeled.expand(D.self, secret, suite: suite, label: "exp", info: info.context, count: D.hashLength)
        return Labeled.expand(D.self, exporter, suite: suite, label: "sec", info: context, count: count)
    }
}
