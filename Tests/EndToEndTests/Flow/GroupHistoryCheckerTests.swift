import Testing

/// The checker must find each fault: a judge that never finds any proves nothing.
@Suite struct GroupHistoryCheckerTests {
    private typealias Checker = GroupHistoryChecker
    private typealias Line = GroupHistoryChecker.Line

    private static func text(_ number: Int, _ text: String) -> Line { Line(number: number, what: .text(text, from: "alice")) }
    private static func change(_ number: Int, _ change: String, _ who: String) -> Line {
        Line(number: number, what: .change(change, who: [who]))
    }

    /// Bob is in from 1 to 4, carol from 3 on.
    private static func run(_ change: (inout Checker.Run) -> Void = { _ in }) -> [Checker.Violation] {
        var run = Checker.Run(founder: "alice")
        run.written = ["one": "alice", "two": "alice", "three": "alice"]
        run.promised = Set(run.written.keys)
        run.histories = [
            "alice": [
                Self.change(1, "added", "bob"), text(2, "one"), Self.change(3, "added", "carol"), text(4, "two"),
                Self.change(5, "removed", "bob"),
                text(6, "three"),
            ],
            "bob": [
                Line(number: 1, what: .joined), text(2, "one"), Self.change(3, "added", "carol"), text(4, "two"),
                Self.change(5, "removed", "bob"),
            ],
            "carol": [Line(number: 3, what: .joined), text(4, "two"), Self.change(5, "removed", "bob"), text(6, "three")],
        ]
        change(&run)
        return Checker.check(run)
    }

    @Test func `a run in which each has what is theirs has no violation`() { #expect(Self.run() == []) }

    @Test func `what was promised and nobody has is lost`() {
        let found1 = Self.run { $0.promised.insert("four") }
        #expect(found1 == [.lost("four")])
    }

    @Test func `a member who does not have what was said while in has missed it`() {
        let found2 = Self.run { $0.histories["carol"]?.removeAll { $0.number == 6 } }
        #expect(found2 == [.missed("three", at: "carol")])
    }

    @Test func `one who was removed and has what follows, or a newcomer what was before, was let in on it`() {
        let found3 = Self.run { $0.histories["bob"]?.append(Self.text(6, "three")) }
        #expect(found3 == [.leaked("three", at: "bob")])
        let found4 = Self.run { $0.histories["carol"]?.insert(Self.text(2, "one"), at: 0) }
        #expect(found4 == [.leaked("one", at: "carol")])
    }

    @Test func `two things at one number are a fork`() {
        let found5 = Self.run { $0.histories["carol"]?[1] = Self.text(4, "three") }
        #expect(found5.contains(.fork(4, at: "carol")))
    }

    @Test func `a text that is there twice is a duplicate, one out of its place out of order`() {
        let found6 = Self.run { $0.histories["carol"]?.insert(Self.text(4, "two"), at: 1) }
        #expect(found6 == [.duplicated("two", at: "carol")])
        let found7 = Self.run { $0.histories["alice"]?.swapAt(1, 3) }
        #expect(found7 == [.outOfOrder(3, at: "alice"), .outOfOrder(2, at: "alice")])
    }

    @Test func `what nobody wrote, or somebody else did, is a phantom`() {
        let found8 = Self.run { $0.written["one"] = "mallory" }
        #expect(found8 == [.phantom("one", at: "alice"), .phantom("one", at: "bob")])
    }
}
