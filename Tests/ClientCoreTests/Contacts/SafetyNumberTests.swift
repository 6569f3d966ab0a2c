import ClientCore
import Cryptography
import Testing
import Vocabulary

struct SafetyNumberTests {
    private let one = UserID(raw: Hash.sha256([1])), other = UserID(raw: Hash.sha256([2]))

    @Test func `it is sixty digits in groups of five, the same on both sides`() {
        let groups = SafetyNumber.groups(one, other)
        #expect(groups.count == 12 && groups.allSatisfy { $0.count == 5 && $0.allSatisfy(\.isNumber) })
        #expect(groups == SafetyNumber.groups(other, one))
        #expect(groups != SafetyNumber.groups(one, UserID(raw: Hash.sha256([3]))))
    }

    @Test func `what a person types is compared without regard to spaces`() {
        let text = SafetyNumber.text(one, other)
        #expect(SafetyNumber.matches(text, other, one))
        #expect(SafetyNumber.matches(text.filter { $0 != " " }, one, other))
        #expect(!SafetyNumber.matches(String(text.dropLast()), one, other))
        #expect(!SafetyNumber.matches("", one, other))
    }
}
