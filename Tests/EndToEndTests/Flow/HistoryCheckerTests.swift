import Testing

/// The checker must find each fault: a judge that never finds any proves nothing.
@Suite struct HistoryCheckerTests {
    private static func place(_ number: Int, _ conversation: String = "c") -> HistoryEvent.Place {
        .init(conversation: conversation, number: number)
    }
    private static func sent(_ text: String) -> [HistoryEvent] {
        [.submitted(text: text, by: "alice", to: "bob"), .reported(.sent, text: text)]
    }
    private static func shown(_ text: String, _ number: Int) -> HistoryEvent { .shown(text: text, from: "alice", at: "bob", place(number)) }
    private static func delivered(_ text: String) -> HistoryEvent { .reported(.delivered, text: text) }

    @Test func `a history in which all went well has no violation`() {
        let history =
            Self.sent("one") + Self.sent("two") + [
                Self.shown("one", 1), Self.shown("two", 2), Self.delivered("one"), Self.delivered("two"),
            ]
            + [.submitted(text: "answer", by: "bob", to: "alice"), .reported(.kept, text: "answer")]
            + [.shown(text: "answer", from: "bob", at: "alice", Self.place(3)), .reported(.delivered, text: "answer")]
            + [.numbered(text: "answer", Self.place(3))]
        #expect(HistoryChecker.check(history).isEmpty)
    }

    @Test func `a message that was reported sent and never shown is lost`() {
        #expect(HistoryChecker.check(Self.sent("one")) == [.lost("one")])
    }

    @Test func `a message that was kept in the outbox must arrive too`() {
        let history: [HistoryEvent] = [.submitted(text: "one", by: "alice", to: "bob"), .reported(.kept, text: "one")]
        #expect(HistoryChecker.check(history) == [.lost("one")])
    }

    @Test func `a message of a command that was killed may arrive or not`() {
        #expect(HistoryChecker.check([.submitted(text: "one", by: "alice", to: "bob")]).isEmpty)
    }

    @Test func `a message that is shown twice is a duplicate`() {
        let history = Self.sent("one") + [Self.shown("one", 1), Self.shown("one", 1), Self.delivered("one")]
        #expect(HistoryChecker.check(history) == [.duplicated("one")])
        let renumbered = Self.sent("one") + [Self.shown("one", 1), Self.shown("one", 2), Self.delivered("one")]
        #expect(HistoryChecker.check(renumbered) == [.duplicated("one")])
    }

    @Test func `a later number before an earlier one is out of order`() {
        let history =
            Self.sent("one") + Self.sent("two") + [
                Self.shown("two", 2), Self.shown("one", 1), Self.delivered("one"), Self.delivered("two"),
            ]
        #expect(HistoryChecker.check(history) == [.outOfOrder("one", at: "bob")])
    }

    @Test func `what nobody sent is a phantom`() {
        #expect(HistoryChecker.check([Self.shown("one", 1)], isGapless: false) == [.phantom("one", at: "bob")])
    }

    @Test func `a message at somebody else, or as somebody else's, is a phantom`() {
        let misled = Self.sent("one") + [.shown(text: "one", from: "alice", at: "carol", Self.place(1))]
        #expect(HistoryChecker.check(misled) == [.phantom("one", at: "carol"), .lost("one")])
        let posed = Self.sent("one") + [.shown(text: "one", from: "mallory", at: "bob", Self.place(1))]
        #expect(HistoryChecker.check(posed) == [.phantom("one", at: "bob"), .lost("one")])
    }

    @Test func `delivered of a message that no device has shown is a false receipt`() {
        let history = Self.sent("one") + [Self.delivered("one")]
        #expect(HistoryChecker.check(history) == [.lost("one"), .deliveredButNotShown("one")])
    }

    @Test func `delivered while the recipient is away is a receipt before the message was shown`() {
        let history =
            [.wentOffline("bob")] + Self.sent("one") + [Self.delivered("one"), .cameOnline("bob"), Self.shown("one", 1)]
        #expect(HistoryChecker.check(history) == [.deliveredWhileOffline("one")])
    }

    @Test func `delivered of a message from before the absence is no fault`() {
        let history = Self.sent("one") + [.wentOffline("bob"), Self.delivered("one"), .cameOnline("bob"), Self.shown("one", 1)]
        #expect(HistoryChecker.check(history).isEmpty)
    }

    @Test func `a sender that never learns of the delivery was left in the dark`() {
        #expect(HistoryChecker.check(Self.sent("one") + [Self.shown("one", 1)]) == [.neverConfirmed("one")])
    }

    @Test func `two messages with one number are a fork`() {
        let history =
            Self.sent("one") + Self.sent("two") + [
                Self.shown("one", 1), Self.shown("two", 1), Self.delivered("one"), Self.delivered("two"),
            ]
        #expect(HistoryChecker.check(history) == [.twoMessagesWithOneNumber(Self.place(1))])
    }

    @Test func `one number in two conversations is none`() {
        let history =
            Self.sent("one") + Self.sent("two") + [Self.shown("one", 1), .shown(text: "two", from: "alice", at: "bob", Self.place(1, "d"))]
            + [Self.delivered("one"), Self.delivered("two")]
        #expect(HistoryChecker.check(history).isEmpty)
    }

    @Test func `a sender and a recipient with different numbers disagree`() {
        let history = Self.sent("one") + [Self.shown("one", 1), Self.delivered("one"), .numbered(text: "one", Self.place(2))]
        #expect(HistoryChecker.check(history) == [.numbersDiffer("one")])
    }

    @Test func `a number that no message has is a gap`() {
        let history =
            Self.sent("one") + Self.sent("two") + [
                Self.shown("one", 1), Self.shown("two", 3), Self.delivered("one"), Self.delivered("two"),
            ]
        #expect(HistoryChecker.check(history) == [.numberMissing(Self.place(2))])
        #expect(HistoryChecker.check(history, isGapless: false).isEmpty)
    }

    @Test func `a message that failed and was shown all the same is a broken word`() {
        let history = Self.sent("one") + [.reported(.failed, text: "one"), Self.shown("one", 1)]
        #expect(HistoryChecker.check(history) == [.failedButShown("one")])
    }
}
