internal import CSodium

public enum Passphrase {
    public static let saltBytes = 16

    /// Argon2id, 2 passes over 64 MiB (libsodium's "interactive"): some 80 ms. The caller bounds how many run at once.
    /// - Parameter salt: 16 random bytes, kept beside what the key seals.
    /// - Throws: `outOfMemory` when 64 MiB cannot be had.
    public static func key(from passphrase: Secret, salt: [UInt8]) throws(CryptoError) -> Secret {
        guard salt.count == saltBytes else { throw .keyLength(expected: saltBytes, actual: salt.count) }
        Sodium.ready
        var out = [UInt8](repeating: 0, count: 32)
        let code = passphrase.withPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self, capacity: passphrase.count) { characters in
                crypto_pwhash(
                    &out, 32, characters, UInt64(passphrase.count), salt, UInt64(crypto_pwhash_opslimit_interactive()),
                    crypto_pwhash_memlimit_interactive(), crypto_pwhash_alg_argon2id13())
            }
        }
        guard code == 0 else { throw .outOfMemory }
        return Secret(consuming: &out)
    }
}
