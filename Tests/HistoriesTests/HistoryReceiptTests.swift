import Histories
import Testing

/// Receipts, the whole run, and lies.
@Suite struct HistoryReceiptTests {
    private typealias Base = HistoryCheckerTests

    // MARK: Receipts

    @Test func `delivered of a message that no device has shown is a false receipt`() {
        #expect(Base.check(Base.sent("one") + [Base.delivered("one")]) == [.lost("one"), .receiptAhead("one", at: "bob")])
    }

    @Test func `delivered before it is shown is a false receipt where every moment is seen`() {
        let history = Base.sent("one") + [Base.delivered("one"), Base.shown("one", 1)]
        #expect(Base.check(history, Base.exact) == [.receiptAhead("one", at: "bob")])
        #expect(Base.check(history) == [])
    }

    @Test func `delivered while the recipient is away is a receipt before the message was shown`() {
        let away = [Base.bob(.offline)] + Base.sent("one") + [Base.delivered("one"), Base.bob(.online), Base.shown("one", 1)]
        #expect(Base.check(away) == [.receiptAhead("one", at: "bob")])
        let before = Base.sent("one") + [Base.bob(.offline), Base.delivered("one"), Base.bob(.online), Base.shown("one", 1)]
        #expect(Base.check(before) == [])
    }

    @Test func `a sender that never learns of the delivery was left in the dark`() {
        #expect(Base.check(Base.sent("one") + [Base.shown("one", 1)]) == [.neverConfirmed("one")])
    }

    @Test func `a receipt goes neither backwards nor ahead of what its device has, and comes from a member`() {
        func receipt(_ number: UInt64, by: String = "bob") -> HistoryEvent {
            Base.alice(.receipt(Base.place(number), by: by, .delivered))
        }
        let history = Base.whole("one", 1) + Base.whole("two", 2)
        #expect(Base.check(history + [receipt(1), receipt(2), receipt(2)], Base.exact) == [])
        #expect(
            Base.check(history + [receipt(2), receipt(1)], Base.exact) == [.receiptBackwards(Base.place(1), of: "bob", at: "alice")])
        #expect(Base.check(history + [receipt(3)], Base.exact) == [.receiptAhead("c 3", at: "bob")])
        #expect(
            Base.check(history + [receipt(1, by: "eve")]).first == .receiptByStranger(Base.place(1), of: "eve", at: "alice"))
    }

    // MARK: The run

    @Test func `a run in which nothing was sent or nothing shown proves nothing`() {
        #expect(HistoryChecker.check([]) == [.empty])
        #expect(HistoryChecker.check([Base.alice(.invoke(message: "one", to: .user("bob")))]) == [.empty])
    }

    @Test func `a planned fault that never happened is missed`() {
        let plan = HistoryEvent(0, "run", .plan(fault: "crash"))
        #expect(Base.check([plan]) == [.faultNeverHappened("crash")])
        #expect(Base.check([plan, HistoryEvent(0, "node1", .fault("crash"))]) == [])
    }

    @Test func `what grows beyond its bound is found`() {
        func gauge(_ value: Int64) -> HistoryEvent { HistoryEvent(0, "node1", .gauge("queue", value: value, bound: 10)) }
        #expect(Base.check([gauge(10)]) == [])
        #expect(Base.check([gauge(11)]) == [.unbounded("queue of node1", value: 11, bound: 10)])
    }

    @Test func `of a conversation that an old copy does not know it hears with what comes there next, and not before`() {
        func check(alice: UInt64, bob: UInt64?) -> [Violation] {
            let now = bob.map { [Base.bob(.head(Base.place($0), chain: "b\($0)"))] } ?? []
            return Base.check(
                Base.whole("one", 1) + [Base.bob(.head(Base.place(3), chain: "b3")), Base.bob(.restored)] + now
                    + [Base.alice(.head(Base.place(alice), chain: "b\(alice)")), HistoryEvent(0, "run", .healed)])
        }
        #expect(check(alice: 3, bob: nil) == [])
        #expect(check(alice: 4, bob: nil) == [.notConverged(Base.place(3), at: "bob")])
        #expect(check(alice: 3, bob: 2) == [.notConverged(Base.place(2), at: "bob")])
    }

    @Test func `once healed all come to the same head`() {
        let heads = [
            Base.alice(.head(Base.place(2), chain: "aa")), Base.bob(.head(Base.place(1), chain: "bb")),
            HistoryEvent(0, "run", .healed),
        ]
        let history = Base.whole("one", 1) + Base.whole("two", 2)
        #expect(Base.check(history + heads) == [.notConverged(Base.place(1), at: "bob")])
        #expect(Base.check(history + heads + [Base.bob(.head(Base.place(2), chain: "aa"))]) == [])
    }

    // MARK: Lies

    @Test func `an alarm without a lie is a false one`() {
        let alarm = Base.bob(.alarm("gap", conversation: "c", number: 1))
        #expect(Base.check(Base.whole("one", 1) + [alarm]) == [.falseAlarm("gap", at: "bob")])
    }

    @Test func `a lie that divides devices must be noticed; what it takes from them is not held against anybody then`() {
        let lie = HistoryEvent(0, "node1", .fault("fork", conversation: "c"))
        let forked =
            Base.whole("one", 1) + [lie]
            + [Base.alice(.head(Base.place(2), chain: "aa")), Base.bob(.head(Base.place(2), chain: "bb"))]
        #expect(Base.check(forked) == [.lieUnnoticed(conversation: "c")])
        #expect(Base.check(forked + [Base.bob(.alarm("forkedHistory", conversation: "c", number: 2))]) == [])
        #expect(
            Base.check(forked + [Base.bob(.alarm("forkedHistory", conversation: "c", number: 2)), Base.shown("one", 1)])
                == [.duplicated("one", at: "bob")])
    }
}
