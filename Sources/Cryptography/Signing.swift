internal import CSodium
public import Vocabulary

/// What a signature is for: signed before the body, so that none serves for another purpose.
public struct SigningContext: Sendable {
    public static let session = SigningContext("posthouse session 1")
    public static let nodeSession = SigningContext("posthouse node session 1")
    public static let statement = SigningContext("posthouse statement 1")
    public static let userRecord = SigningContext("posthouse user record 1")
    public static let homeConsent = SigningContext("posthouse home consent 1")
    public static let handleCertificate = SigningContext("posthouse handle certificate 1")
    public static let deviceCertificate = SigningContext("posthouse device certificate 1")
    public static let watermark = SigningContext("posthouse watermark 1")
    public static let readMark = SigningContext("posthouse read mark 1")
    public static let succession = SigningContext("posthouse succession 1")
    public static let ticket = SigningContext("posthouse ticket 1")

    let prefix: [UInt8]

    private init(_ label: String) { prefix = Array(label.utf8) + [0] }
}

/// An Ed25519 key pair (RFC 8032), of a node, a user or a device.
public struct SigningKey: Sendable {
    /// 32 bytes.
    public let seed: Secret
    public let publicKey: Bytes32
    private let expanded: Secret

    /// - Throws: `keyLength` unless the seed has 32 bytes.
    public init(seed: Secret) throws(CryptoError) {
        guard seed.count == 32 else { throw .keyLength(expected: 32, actual: seed.count) }
        var verifying = [UInt8](repeating: 0, count: 32)
        var secret = [UInt8](repeating: 0, count: 64)
        seed.withPointer { _ = crypto_sign_seed_keypair(&verifying, &secret, $0) }
        self.seed = seed
        expanded = Secret(consuming: &secret)
        publicKey = Bytes32(verifying) ?? .zero
    }

    public init(using random: inout some RandomNumberGenerator) {
        var bytes = random.bytes(32)
        let seed = Secret(consuming: &bytes)
        // 32 bytes by construction: the only error there is cannot happen.
        guard let key = try? SigningKey(seed: seed) else { preconditionFailure("a seed of \(seed.count) bytes") }
        self = key
    }

    public func sign(_ body: [UInt8], for context: SigningContext) -> Signature {
        sign(raw: context.prefix + body)
    }

    /// Ed25519 over exactly these bytes, for protocols with a context of their own (RFC 9420 §5.1.2).
    public func sign(raw message: [UInt8]) -> Signature {
        var signature = [UInt8](repeating: 0, count: 64)
        expanded.withPointer { _ = crypto_sign_detached(&signature, nil, message, UInt64(message.count), $0) }
        guard let made = Signature(signature) else { preconditionFailure("a signature of \(signature.count) bytes") }
        return made
    }
}

extension Signature {
    public func isValid(over body: [UInt8], for context: SigningContext, by key: some Identifier32) -> Bool {
        isValid(overRaw: context.prefix + body, by: key.raw)
    }

    /// Refuses small-order keys and non-canonical S, as libsodium does.
    public func isValid(overRaw message: [UInt8], by key: Bytes32) -> Bool {
        guard let memory = CheckedSignatures.current else { return holds(over: message, by: key) }
        return memory.holds(self, over: message, by: key) { holds(over: message, by: key) }
    }

    private func holds(over message: [UInt8], by key: Bytes32) -> Bool {
        Sodium.ready
        return key.withMemory { key in
            guard let key = key.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
            return crypto_sign_verify_detached(bytes, message, UInt64(message.count), key) == 0
        }
    }
}
