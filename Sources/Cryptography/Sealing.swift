internal import CSodium
internal import Vocabulary

/// XChaCha20-Poly1305 under one key; each box carries its random 24-byte nonce in front.
public struct SealingKey: Sendable {
    public static let overhead = 24 + 16
    private let key: Secret

    /// - Throws: `keyLength` unless the key has 32 bytes.
    public init(_ key: Secret) throws(CryptoError) {
        guard key.count == 32 else { throw .keyLength(expected: 32, actual: key.count) }
        self.key = key
    }

    /// A key of its own for each purpose, derived with keyed BLAKE2b.
    public func derived(for purpose: String) -> Secret {
        var bytes = Hash.keyed(Array(purpose.utf8), key: key)
        return Secret(consuming: &bytes)
    }

    /// - Parameter place: authenticated, not stored: what the box belongs to, so that it opens nowhere else.
    public func seal(_ plaintext: [UInt8], place: [UInt8], using random: inout some RandomNumberGenerator) -> [UInt8] {
        seal(plaintext, place: place, after: [], bytes: plaintext.count + Self.overhead, using: &random)
    }

    /// The same in one piece of memory, for boxes that stand in something larger.
    ///
    /// - Parameters:
    ///   - header: what stands before the box.
    ///   - size: of header, box and the zeros after it.
    public func seal(
        _ plaintext: [UInt8], place: [UInt8], after header: [UInt8], bytes size: Int, using random: inout some RandomNumberGenerator
    ) -> [UInt8] {
        let end = header.count + Self.overhead + plaintext.count
        precondition(size >= end, "a box that ends at \(end) in \(size) bytes")
        let nonce = (random.next(), random.next(), random.next())
        return [UInt8](unsafeUninitializedCapacity: size) { memory, count in
            guard let base = memory.baseAddress else { return }
            _ = memory.initialize(from: header)
            let box = base + header.count
            withUnsafeBytes(of: nonce) { UnsafeMutableRawBufferPointer(start: box, count: 24).copyMemory(from: $0) }
            key.withPointer { key in
                _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
                    box + 24, nil, plaintext, UInt64(plaintext.count), place, UInt64(place.count), nil, box, key)
            }
            (base + end).initialize(repeating: 0, count: size - end)
            count = size
        }
    }

    /// - Throws: `authenticationFailed` for a box that is too short, altered, or of another key or place.
    public func open(_ box: [UInt8], place: [UInt8]) throws(CryptoError) -> [UInt8] {
        guard box.count >= Self.overhead else { throw .authenticationFailed }
        var plaintext = [UInt8](repeating: 0, count: box.count - Self.overhead)
        let code = key.withPointer { key in
            box.withUnsafeBufferPointer { box in
                guard let base = box.baseAddress else { return Int32(-1) }
                return crypto_aead_xchacha20poly1305_ietf_decrypt(
                    &plaintext, nil, nil, base + 24, UInt64(box.count - 24), place, UInt64(place.count), base, key)
            }
        }
        guard code == 0 else { throw .authenticationFailed }
        return plaintext
    }
}
