import Cryptography
import Testing
import Vocabulary

@Suite struct CheckedSignaturesTests {
    @Test func `a signature that has held is remembered, and nothing else passes for it`() {
        var random = SeededGenerator(seed: 1)
        let (key, other) = (SigningKey(using: &random), SigningKey(using: &random))
        let signature = key.sign(raw: [1, 2, 3])
        let memory = CheckedSignatures()
        CheckedSignatures.$current.withValue(memory) {
            for _ in 0..<2 {
                #expect(signature.isValid(overRaw: [1, 2, 3], by: key.publicKey))
                #expect(!signature.isValid(overRaw: [1, 2], by: key.publicKey))
                #expect(!signature.isValid(overRaw: [1, 2, 3], by: other.publicKey))
                #expect(!other.sign(raw: [1, 2, 3]).isValid(overRaw: [1, 2, 3], by: key.publicKey))
                #expect(!signature.isValid(over: [1, 2, 3], for: .watermark, by: DeviceID(raw: key.publicKey)))
            }
        }
        #expect(memory.count == 1)
    }
}
