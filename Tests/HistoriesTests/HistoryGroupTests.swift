import Histories
import Testing

/// Groups, whose members come and go: who was in has what was said, who was not has not.
@Suite struct HistoryGroupTests {
    private typealias Place = HistoryEvent.Place

    private static func place(_ number: UInt64) -> Place { Place("g", number) }
    private static func shown(_ text: String, _ number: UInt64) -> HistoryEvent.What {
        .show(message: text, author: "alice", place(number))
    }
    private static func change(_ number: UInt64, _ change: HistoryEvent.Change, _ who: String...) -> HistoryEvent.What {
        .change(place(number), change, who: who)
    }

    /// Bob is in from 1 to 5, carol from 3 on.
    private static func run(_ edit: (inout [String: [HistoryEvent.What]]) -> Void = { _ in }) -> [Violation] {
        var histories: [String: [HistoryEvent.What]] = [
            "bob": [change(1, .joined), shown("one", 2), change(3, .added, "carol"), shown("two", 4), change(5, .removed, "bob")],
            "carol": [change(3, .joined), shown("two", 4), change(5, .removed, "bob"), shown("three", 6)],
        ]
        edit(&histories)
        var history: [HistoryEvent] = [HistoryEvent(0, "alice", .found(conversation: "g"))]
        for (index, text) in ["one", "two", "three"].enumerated() {
            history.append(HistoryEvent(0, "alice", .invoke(message: text, to: .group("g"))))
            history.append(HistoryEvent(0, "alice", .ok(message: text, .accepted, place(UInt64(index + 1) * 2))))
        }
        history += [change(1, .added, "bob"), change(3, .added, "carol"), change(5, .removed, "bob")].map { HistoryEvent(0, "alice", $0) }
        for (client, events) in histories.sorted(by: { $0.key < $1.key }) where client != "end" {
            history += events.map { HistoryEvent(0, client, $0) }
        }
        history += ["one", "two", "three"].map { HistoryEvent(0, "alice", .ok(message: $0, .delivered)) }
        return HistoryChecker.check(history + (histories["end"] ?? []).map { HistoryEvent(0, "alice", $0) })
    }

    @Test func `a run in which each has what is theirs has no violation`() { #expect(Self.run() == []) }

    @Test func `what was promised and nobody has is lost`() {
        let violations = Self.run { $0["end"] = [.invoke(message: "four", to: .group("g")), .ok(message: "four", .queued)] }
        #expect(violations == [.lost("four")])
        let numbered = Self.run { $0["carol"]?.removeAll { $0 == Self.shown("three", 6) } }
        #expect(numbered == [.lost("three")])
    }

    @Test func `a member who does not have what was said while in has missed it, unless it says so`() {
        let violations = Self.run { $0["carol"]?.removeAll { $0 == Self.shown("two", 4) } }
        #expect(violations == [.missed("two", at: "carol")])
        let told = Self.run { $0["carol"]?[1] = .tombstone(Self.place(4), reason: "?") }
        #expect(told == [.unreadable(Self.place(4), at: "carol")])
    }

    @Test func `one who was removed and has what follows, or a newcomer what was before, was let in on it`() {
        let removed = Self.run { $0["bob"]?.append(Self.shown("three", 6)) }
        #expect(removed == [.leaked("three", at: "bob")])
        let newcomer = Self.run { $0["carol"]?.insert(Self.shown("one", 2), at: 0) }
        #expect(newcomer == [.leaked("one", at: "carol")])
    }

    @Test func `two things at one number are a fork`() {
        let violations = Self.run { $0["carol"]?[1] = Self.shown("three", 4) }
        #expect(violations.contains(.twoPlaces("three", at: "carol")))
        let change = Self.run { $0["carol"]?[1] = Self.change(4, .added, "dora") }
        #expect(change.contains(.twoAtOnePlace(Self.place(4), at: "carol")))
    }

    @Test func `a text that is there twice is a duplicate, one out of its place out of order`() {
        let twice = Self.run { $0["carol"]?.insert(Self.shown("two", 4), at: 1) }
        #expect(twice == [.duplicated("two", at: "carol")])
        let turned = Self.run { $0["carol"]?.swapAt(1, 3) }
        #expect(turned == [.outOfOrder(Self.place(4), at: "carol")])
    }

    @Test func `what somebody else wrote is a phantom`() {
        let violations = Self.run { $0["carol"]?[1] = .show(message: "two", author: "mallory", Self.place(4)) }
        #expect(violations.first == .phantom("two", at: "carol"))
    }
}
