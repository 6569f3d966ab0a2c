internal import CSodium

/// base64url without padding (RFC 4648 §5).
public enum Base64URL {
    public static func encode(_ bytes: [UInt8]) -> String {
        Sodium.ready
        let variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING
        var text = [CChar](repeating: 0, count: sodium_base64_encoded_len(bytes.count, variant))
        sodium_bin2base64(&text, text.count, bytes, bytes.count, variant)
        return String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// - Returns: nil for any character outside the alphabet.
    public static func decode(_ text: String) -> [UInt8]? {
        Sodium.ready
        // libsodium 1.0.18 takes some bytes above 0x7f for letters.
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        let characters = text.utf8.map { CChar(bitPattern: $0) }
        var bytes = [UInt8](repeating: 0, count: characters.count)
        var count = 0
        guard
            sodium_base642bin(
                &bytes, bytes.count, characters, characters.count, nil, &count, nil,
                sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0
        else { return nil }
        return Array(bytes.prefix(count))
    }
}
