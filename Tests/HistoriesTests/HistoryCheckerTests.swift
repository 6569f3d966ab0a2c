import Histories
import Testing

/// The checker must find each fault: a judge that never finds any proves nothing.
@Suite struct HistoryCheckerTests {
    typealias What = HistoryEvent.What

    static func place(_ number: UInt64, _ conversation: String = "c") -> HistoryEvent.Place { .init(conversation, number) }
    static func alice(_ what: What) -> HistoryEvent { HistoryEvent(0, "alice", what) }
    static func bob(_ what: What) -> HistoryEvent { HistoryEvent(0, "bob", what) }

    static func sent(_ text: String, _ state: HistoryEvent.State = .sent) -> [HistoryEvent] {
        [alice(.invoke(message: text, to: .user("bob"))), alice(.ok(message: text, state))]
    }
    static func shown(_ text: String, _ number: UInt64, _ conversation: String = "c") -> HistoryEvent {
        bob(.show(message: text, author: "alice", place(number, conversation)))
    }
    static func delivered(_ text: String) -> HistoryEvent { alice(.ok(message: text, .delivered)) }
    static func whole(_ text: String, _ number: UInt64) -> [HistoryEvent] { sent(text) + [shown(text, number), delivered(text)] }

    /// Beside a message that went well, so that the history is not empty.
    static func check(_ history: [HistoryEvent], _ rules: HistoryRules = HistoryRules()) -> [Violation] {
        HistoryChecker.check(
            [alice(.invoke(message: "fine", to: .user("dora"))), alice(.ok(message: "fine", .sent))]
                + [HistoryEvent(0, "dora", .show(message: "fine", author: "alice", place(1, "other")))]
                + [delivered("fine")] + history, rules)
    }

    static let gapless = HistoryRules(isGapless: true)
    static let exact = HistoryRules(isExact: true)

    @Test func `a history in which all went well has no violation`() {
        let history =
            Self.whole("one", 1) + Self.whole("two", 2)
            + [Self.bob(.invoke(message: "answer", to: .user("alice"))), Self.bob(.ok(message: "answer", .queued))]
            + [Self.alice(.show(message: "answer", author: "bob", Self.place(3)))]
            + [Self.bob(.ok(message: "answer", .delivered, Self.place(3)))]
        #expect(HistoryChecker.check(history, HistoryRules(isExact: true, isGapless: true)) == [])
    }

    // MARK: What was sent

    @Test(arguments: [HistoryEvent.State.queued, .sent, .accepted])
    func `a message that was said to be kept and is never shown is lost`(state: HistoryEvent.State) {
        #expect(Self.check(Self.sent("one", state)) == [.lost("one")])
    }

    @Test func `a message of which nothing is known may arrive or not, but once`() {
        let unknown = [
            Self.alice(.invoke(message: "one", to: .user("bob"))), Self.alice(.info(message: "one", reason: "time-out")),
        ]
        #expect(Self.check(unknown) == [])
        #expect(Self.check([unknown[0]]) == [])
        let arrived = unknown + [Self.shown("one", 1), Self.delivered("one")]
        #expect(Self.check(arrived) == [])
        #expect(Self.check(arrived + [Self.shown("one", 2)]) == [.duplicated("one", at: "bob")])
    }

    @Test func `a message that is shown twice is a duplicate, whatever its number`() {
        #expect(Self.check(Self.whole("one", 1) + [Self.shown("one", 1)]) == [.duplicated("one", at: "bob")])
        #expect(Self.check(Self.whole("one", 1) + [Self.shown("one", 2)]) == [.duplicated("one", at: "bob")])
    }

    @Test func `what is shown again from an old copy is no duplicate, once`() {
        let restored = Self.whole("one", 1) + [Self.bob(.restored), Self.shown("one", 1)]
        #expect(Self.check(restored) == [])
        #expect(Self.check(restored + [Self.shown("one", 1)]) == [.duplicated("one", at: "bob")])
    }

    @Test func `what nobody sent is a phantom`() {
        #expect(Self.check([Self.shown("one", 1)]) == [.phantom("one", at: "bob")])
        #expect(Self.check([Self.delivered("one")]) == [.phantom("one", at: "alice")])
    }

    @Test func `a message at somebody else, or as somebody else's, is a phantom`() {
        let misled = Self.sent("one") + [HistoryEvent(0, "carol", .show(message: "one", author: "alice", Self.place(1)))]
        #expect(Self.check(misled) == [.phantom("one", at: "carol"), .lost("one")])
        let posed = Self.sent("one") + [Self.bob(.show(message: "one", author: "mallory", Self.place(1)))]
        #expect(Self.check(posed) == [.phantom("one", at: "bob"), .lost("one")])
    }

    @Test func `a message that failed and was shown all the same is a broken word`() {
        let failed = Self.sent("one") + [Self.alice(.fail(message: "one", reason: "expired"))]
        #expect(Self.check(failed) == [])
        #expect(Self.check(failed + [Self.shown("one", 1)]) == [.failedButAppeared("one")])
        #expect(Self.check(failed + [Self.delivered("one")]) == [.failedButAppeared("one")])
    }

    // MARK: Numbers

    @Test func `a later number before an earlier one is out of order`() {
        let history = Self.sent("one") + Self.sent("two") + [Self.shown("two", 2), Self.shown("one", 1)]
        #expect(
            Self.check(history + [Self.delivered("one"), Self.delivered("two")]) == [.outOfOrder(Self.place(1), at: "bob")])
    }

    @Test func `two messages with one number are a fork, in two conversations they are none`() {
        let both = Self.sent("one") + Self.sent("two")
        let confirmed = [Self.delivered("one"), Self.delivered("two")]
        #expect(
            Self.check(both + [Self.shown("one", 1), Self.shown("two", 1)] + confirmed) == [.twoAtOnePlace(Self.place(1), at: "bob")])
        #expect(Self.check(both + [Self.shown("one", 1), Self.shown("two", 1, "d")] + confirmed) == [])
    }

    @Test func `a sender and a recipient with different numbers disagree`() {
        let history = Self.whole("one", 1) + [Self.alice(.ok(message: "one", .delivered, Self.place(2)))]
        #expect(Self.check(history) == [.twoPlaces("one", at: "alice")])
    }

    @Test func `a repeat that is answered with another number was answered differently`() {
        let history = Self.sent("one") + [1, 2].map { Self.alice(.ok(message: "one", .accepted, Self.place($0))) }
        #expect(Self.check(history + [Self.shown("one", 1), Self.delivered("one")]) == [.answeredDifferently("one")])
    }

    @Test func `two devices with other chains at one number have other histories`() {
        let heads = [Self.alice(.head(Self.place(1), chain: "aa")), Self.bob(.head(Self.place(1), chain: "bb"))]
        #expect(Self.check(Self.whole("one", 1) + heads) == [.fork(Self.place(1), at: "bob")])
    }

    @Test func `a number that nobody knows is a gap, unless somebody says what is missing`() {
        let history = Self.whole("one", 1) + Self.whole("two", 3)
        #expect(Self.check(history, Self.gapless) == [.gap(Self.place(2))])
        #expect(Self.check(history) == [])
        let rules = HistoryRules(isGapless: true, allowsTombstones: true)
        #expect(Self.check(history + [Self.bob(.tombstone(Self.place(2), reason: "?"))], rules) == [])
        #expect(Self.check([Self.bob(.tombstone(Self.place(2), reason: "?"))]) == [.unreadable(Self.place(2), at: "bob")])
    }

    @Test func `of two messages of one client the one that was acknowledged first has the lower number`() {
        let swapped = Self.sent("one") + Self.sent("two") + [Self.shown("two", 1), Self.shown("one", 2)]
        #expect(
            Self.check(swapped + [Self.delivered("one"), Self.delivered("two")]) == [.sessionOrder("one", "two")])
        // Handed over by two hands at once: either may be first.
        let invoked = ["one", "two"].map { Self.alice(.invoke(message: $0, to: .user("bob"))) }
        let answered = ["one", "two"].map { Self.alice(.ok(message: $0, .sent)) }
        let shown = [Self.shown("two", 1), Self.shown("one", 2), Self.delivered("one"), Self.delivered("two")]
        #expect(Self.check(invoked + answered + shown) == [])
    }

    @Test func `a message that goes back to an earlier state is found where every moment is seen`() {
        let history = Self.whole("one", 1) + [Self.alice(.ok(message: "one", .sent))]
        #expect(Self.check(history, Self.exact) == [.stateBackwards("one")])
        #expect(Self.check(history) == [])
    }
}
