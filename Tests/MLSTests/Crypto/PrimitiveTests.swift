import Cryptography
import MLS
import Testing
import Vocabulary

@Suite struct PrimitiveTests {
    /// RFC 5869 appendix A, cases 1 and 3.
    @Test func `HKDF gives what its RFC says`() throws {
        let material = Secret(Array(repeating: 0x0b, count: 22))
        let key = SHA256Derivation.extract(salt: Secret(Array(0...12)), prefix: [], material: material)
        #expect(
            key == Secret(try #require(Hex.decode("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"))))
        let output = SHA256Derivation.expand(key, info: Array(0xf0...0xf9), count: 42)
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        #expect(output.copyBytes() == Hex.decode(expected))
        let unsalted = SHA256Derivation.extract(salt: nil, prefix: [], material: material)
        let bare = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        #expect(SHA256Derivation.expand(unsalted, info: [], count: 42).copyBytes() == Hex.decode(bare))
    }

    /// RFC 4231, cases 1 and 2, and FIPS 180-4's example of two blocks.
    @Test func `HMAC and SHA-256 give what their documents say`() {
        let first = SHA256Derivation.mac(Array("Hi There".utf8), key: Secret(Array(repeating: 0x0b, count: 20)))
        #expect(first == Hex.decode("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"))
        let second = SHA256Derivation.mac(Array("what do ya want for nothing?".utf8), key: Secret(Array("Jefe".utf8)))
        #expect(second == Hex.decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
        let hash = SHA256Derivation.hash(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
        #expect(hash == Hex.decode("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"))
        #expect(SHA256Derivation.hash([]) == Hash.sha256([]).bytes)
    }

    @Test(arguments: CipherSuite.supported)
    func `a box opens with its key, nonce and data only, and never when cut`(suite: CipherSuite) throws {
        let suite = try #require(suite.implementation)
        let key = Secret(Array(repeating: 1, count: suite.keyLength))
        let nonce = [UInt8](repeating: 2, count: suite.nonceLength)
        for length in [0, 1, 100] {
            let sealed = try suite.seal(Array(repeating: 3, count: length), key: key, nonce: nonce, authenticating: [4])
            #expect(try suite.open(sealed, key: key, nonce: nonce, authenticating: [4]).count == length)
            #expect(throws: CryptoError.authenticationFailed) { try suite.open(sealed, key: key, nonce: nonce, authenticating: []) }
            #expect(throws: CryptoError.authenticationFailed) {
                try suite.open(Array(sealed.dropLast()), key: key, nonce: nonce, authenticating: [4])
            }
            #expect(throws: CryptoError.self) { try suite.open([], key: key, nonce: nonce, authenticating: [4]) }
        }
        #expect(throws: CryptoError.self) { try suite.seal([], key: Secret([1]), nonce: nonce, authenticating: []) }
        #expect(throws: CryptoError.self) { try suite.seal([], key: key, nonce: [1], authenticating: []) }
    }

    @Test func `small-order and short public keys are refused`() throws {
        let suite = try #require(CipherSuite.x25519ChaCha20Poly1305.implementation)
        var random = SeededGenerator(seed: 1)
        for key: [UInt8] in [Array(repeating: 0, count: 32), [1] + Array(repeating: 0, count: 31), [1, 2, 3], []] {
            #expect(throws: CryptoError.self) { try suite.seal([1], to: key, label: "x", context: [], using: &random) }
        }
    }

    @Test func `a signature serves for its label, content and key only`() throws {
        let suite = try #require(CipherSuite.x25519AES128GCM.implementation)
        let (ann, bob) = (try MemberIdentity.fixture("ann").signer, try MemberIdentity.fixture("bob").signer)
        let signature = suite.sign([1], label: "a", with: ann)
        #expect(suite.isValid(signature, over: [1], label: "a", by: ann.publicKey))
        #expect(!suite.isValid(signature, over: [1], label: "b", by: ann.publicKey))
        #expect(!suite.isValid(signature, over: [2], label: "a", by: ann.publicKey))
        #expect(!suite.isValid(signature, over: [1], label: "a", by: bob.publicKey))
        #expect(!suite.isValid([], over: [1], label: "a", by: ann.publicKey))
        #expect(!suite.isValid(signature, over: [1], label: "a", by: []))
    }
}
