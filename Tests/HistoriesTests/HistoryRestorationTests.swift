import Histories
import Testing

/// What a hub's restoration from a backup excuses (docs/protocol/hub.md §10; docs/operating.md, "Backup and restore"), and what it does not.
@Suite struct HistoryRestorationTests {
    typealias Base = HistoryCheckerTests

    private static func setBack(_ number: UInt64, through: UInt64, _ conversation: String = "c") -> HistoryEvent {
        HistoryEvent(0, "node1", .setBack(Base.place(number, conversation), through: through))
    }
    private static func accepted(_ text: String, _ number: UInt64) -> HistoryEvent {
        Base.alice(.ok(message: text, .accepted, Base.place(number)))
    }

    /// Numbered 5, and after the restoration 1,000.
    private static func numberedTwice(_ restorations: [HistoryEvent]) -> [Violation] {
        Base.check(
            Base.sent("one") + [accepted("one", 5)] + restorations + [accepted("one", 1_000), Base.shown("one", 1_000)]
                + [Base.delivered("one")])
    }

    @Test func `what the hub has forgotten is numbered anew`() {
        #expect(Self.numberedTwice([Self.setBack(4, through: 5)]) == [])
        #expect(Self.numberedTwice([Self.setBack(0, through: 999)]) == [])
        // One after the other; and the older number can come to light later than the newer.
        let thrice = Base.sent("one") + [Self.accepted("one", 5), Self.setBack(4, through: 6), Self.accepted("one", 100)]
        #expect(
            Base.check(
                thrice + [Self.setBack(4, through: 100), Self.accepted("one", 1_000)] + [Base.shown("one", 5)]
                    + [Base.delivered("one")]) == [])
    }

    @Test func `no number but a forgotten one is given anew, and none but a later one in its place`() {
        let violations: [Violation] = [.answeredDifferently("one"), .twoPlaces("one", at: "bob")]
        #expect(Self.numberedTwice([]) == violations)
        // The copy had it.
        #expect(Self.numberedTwice([Self.setBack(5, through: 9)]) == violations)
        // It was not given before the restoration.
        #expect(Self.numberedTwice([Self.setBack(2, through: 4)]) == violations)
        // What takes its place was given before.
        #expect(Self.numberedTwice([Self.setBack(4, through: 1_000)]) == violations)
        // Of another conversation.
        #expect(Self.numberedTwice([Self.setBack(4, through: 5, "d")]) == violations)
    }

    @Test func `two of one client keep their order but for what is numbered anew`() {
        func check(_ restorations: [HistoryEvent]) -> [Violation] {
            Base.check(
                Base.sent("one") + [Self.accepted("one", 5)] + Base.sent("two") + [Self.accepted("two", 6), Base.shown("two", 6)]
                    + [Base.delivered("two")] + restorations + [Self.accepted("one", 1_000), Base.shown("one", 1_000)]
                    + [Base.delivered("one")])
        }
        #expect(check([Self.setBack(4, through: 6)]) == [])
        let swapped =
            Base.sent("one") + Base.sent("two") + [Self.setBack(4, through: 6), Base.shown("two", 1_000), Base.shown("one", 1_001)]
        #expect(Base.check(swapped + [Base.delivered("one"), Base.delivered("two")]) == [.sessionOrder("one", "two")])
    }

    @Test func `what was forgotten may fail, and nothing else that somebody has`() {
        func check(_ restorations: [HistoryEvent], _ after: [HistoryEvent] = []) -> [Violation] {
            let sent = Base.sent("one") + [Self.accepted("one", 5), Base.shown("one", 5)]
            return Base.check(sent + restorations + [Base.alice(.fail(message: "one", reason: "recovering"))] + after)
        }
        #expect(check([Self.setBack(4, through: 5)]) == [])
        #expect(check([]) == [.failedButAppeared("one")])
        #expect(check([Self.setBack(5, through: 6)]) == [.failedButAppeared("one")])
        #expect(check([], [Self.setBack(4, through: 5)]) == [.failedButAppeared("one")])
        #expect(check([Self.setBack(4, through: 5), Self.accepted("one", 1_000)]) == [.failedButAppeared("one")])
    }

    @Test func `an old copy may call a gap what its client had before, and nothing else`() {
        func check(_ name: String, _ number: UInt64?, restored: Bool = true) -> [Violation] {
            let head = Base.bob(.head(Base.place(6), chain: "aa"))
            let alarm = Base.bob(.alarm(name, conversation: "c", number: number))
            return Base.check(Base.whole("one", 1) + [head] + (restored ? [Base.bob(.restored)] : []) + [alarm])
        }
        #expect(check("gap", 5) == [])
        #expect(check("gap", 7) == [.falseAlarm("gap", at: "bob")])
        #expect(check("gap", nil) == [.falseAlarm("gap", at: "bob")])
        #expect(check("forkedHistory", 5) == [.falseAlarm("forkedHistory", at: "bob")])
        #expect(check("gap", 5, restored: false) == [.falseAlarm("gap", at: "bob")])
    }

    @Test func `what was numbered and forgotten must come again, if nobody has it`() {
        #expect(Base.check(Base.sent("one") + [Self.accepted("one", 5), Self.setBack(4, through: 5)]) == [.lost("one")])
    }

    @Test func `in a conversation that was founded after the copy nothing is promised, and elsewhere all of it`() {
        let gone = HistoryEvent(0, "node1", .gone(conversation: "c"))
        #expect(Base.check(Base.sent("one") + [Self.accepted("one", 5), gone]) == [])
        #expect(Base.check(Base.sent("one") + [gone]) == [.lost("one")])
    }

    @Test func `a receipt of what could not be read, and is said to be unreadable, is true`() {
        let rules = HistoryRules(isExact: true, allowsTombstones: true)
        let sent = Base.sent("one") + [Self.accepted("one", 5)]
        let stone = Base.bob(.tombstone(Base.place(5), reason: "?"))
        #expect(Base.check(sent + [stone, Base.delivered("one")], rules) == [])
        #expect(Base.check(sent + [Base.delivered("one"), stone], rules) == [.receiptAhead("one", at: "bob")])
        let other = Base.bob(.tombstone(Base.place(4), reason: "?"))
        #expect(
            Base.check(sent + [other, Base.delivered("one")], rules) == [.receiptAhead("one", at: "bob"), .lost("one")])
    }

    /// In a group whose hub went on from 6 numbers ago, in an epoch that bob has not: he is told that he cannot read what is said, or comes
    /// back in behind it. Carol has it all.
    private static func away(_ bob: [HistoryEvent.What], restored: Bool = true, before: [HistoryEvent.What] = []) -> [Violation] {
        func place(_ number: UInt64) -> HistoryEvent.Place { HistoryEvent.Place("g", number) }
        func event(_ client: String, _ what: HistoryEvent.What) -> HistoryEvent { HistoryEvent(0, client, what) }
        var history = [
            event("alice", .found(conversation: "g")), event("alice", .change(place(1), .added, who: ["bob", "carol"])),
            event("alice", .invoke(message: "one", to: .group("g"))), event("bob", .change(place(1), .joined, who: [])),
            event("bob", .head(place(2), chain: "aa")),
        ]
        history += before.map { event("bob", $0) }
        if restored { history.append(event("node1", .setBack(place(2), through: 8))) }
        history += [event("alice", .ok(message: "one", .accepted, place(20)))]
        history += [event("carol", .show(message: "one", author: "alice", place(20)))]
        return HistoryChecker.check(history + bob.map { event("bob", $0) }, HistoryRules(isExact: true, allowsTombstones: true))
    }
    private static func rejoined(_ number: UInt64) -> [HistoryEvent.What] {
        let place = HistoryEvent.Place("g", number)
        return [.head(place, chain: "dd"), .change(place, .rejoined, who: ["bob"])]
    }

    @Test func `what a member lost as it came back in behind it, after its hub was restored, was told`() {
        let past: [HistoryEvent.What] = [.head(HistoryEvent.Place("g", 21), chain: "cc")]
        #expect(Self.away(past + Self.rejoined(22)) == [])
        #expect(Self.away(past) == [.missed("one", at: "bob")])
        #expect(Self.away(past + Self.rejoined(22), restored: false) == [.missed("one", at: "bob")])
        // It took each, and shows nothing for it.
        let taken: [HistoryEvent.What] = (9...21).map { .head(HistoryEvent.Place("g", $0), chain: "\($0)") }
        #expect(Self.away(taken + Self.rejoined(22)) == [.missed("one", at: "bob")])
    }

    @Test func `that a message cannot be read is told once, whatever number it has later`() {
        let stone = HistoryEvent.What.tombstone(HistoryEvent.Place("g", 6), reason: "?")
        let first = HistoryEvent.What.head(HistoryEvent.Place("g", 6), chain: "bb")
        let shown = HistoryEvent(0, "carol", .show(message: "one", author: "alice", HistoryEvent.Place("g", 6)))
        func check(_ before: [HistoryEvent.What]) -> [Violation] {
            var history = [
                HistoryEvent(0, "alice", .found(conversation: "g")),
                HistoryEvent(0, "alice", .change(HistoryEvent.Place("g", 1), .added, who: ["bob", "carol"])),
                HistoryEvent(0, "alice", .invoke(message: "one", to: .group("g"))), shown,
            ]
            history += before.map { HistoryEvent(0, "bob", $0) }
            history.append(HistoryEvent(0, "node1", .setBack(HistoryEvent.Place("g", 2), through: 8)))
            history.append(HistoryEvent(0, "alice", .ok(message: "one", .accepted, HistoryEvent.Place("g", 20))))
            return HistoryChecker.check(history, HistoryRules(isExact: true, allowsTombstones: true))
        }
        #expect(check([first, stone]) == [])
        #expect(check([first]) == [.missed("one", at: "bob")])
    }

    /// Its number was 6, and is 20.
    @Test func `its sender is not left in the dark that cannot know who has it under a number that was forgotten`() {
        func check(_ returns: [HistoryEvent.What]) -> [Violation] {
            let place = HistoryEvent.Place("g", 6)
            return Self.away(returns, before: [.show(message: "one", author: "alice", place), .head(place, chain: "bb")])
        }
        #expect(check(Self.rejoined(22)) == [])
        #expect(check([]) == [.neverConfirmed("one")])
    }

    @Test func `what a hub has forgotten nobody can say again who was out by then`() {
        func check(isOut: Bool, _ after: [HistoryEvent] = []) -> [Violation] {
            func place(_ number: UInt64) -> HistoryEvent.Place { HistoryEvent.Place("g", number) }
            var history = [
                HistoryEvent(0, "alice", .found(conversation: "g")),
                HistoryEvent(0, "alice", .change(place(1), .added, who: ["bob", "carol"])),
                HistoryEvent(0, "bob", .invoke(message: "one", to: .group("g"))),
                HistoryEvent(0, "bob", .ok(message: "one", .accepted, place(5))),
                HistoryEvent(0, "carol", .show(message: "one", author: "bob", place(5))),
            ]
            if isOut { history.append(HistoryEvent(0, "alice", .change(place(6), .removed, who: ["bob"]))) }
            history.append(HistoryEvent(0, "node1", .setBack(place(2), through: 8)))
            return HistoryChecker.check(history + after, HistoryRules(isExact: true))
        }
        #expect(check(isOut: true) == [])
        #expect(check(isOut: false) == [.missed("one", at: "alice")])
    }

    /// Its sender goes on from a copy that had still to send it.
    @Test func `what an old copy of a client sends once more has one more number, and its states begin anew`() {
        let rules = HistoryRules(isExact: true)
        let sent = Base.sent("one") + [Self.accepted("one", 5), Base.shown("one", 5), Base.alice(.ok(message: "one", .delivered))]
        let again = [Base.alice(.ok(message: "one", .queued)), Self.accepted("one", 9)]
        let restored = Base.alice(.restored)
        #expect(Base.check(sent + [restored] + again, rules) == [])
        let violations = Base.check(sent + again, rules)
        #expect(violations.contains(.stateBackwards("one")) && violations.contains(.twoPlaces("one", at: "alice")))
        // Once for each time, and only what it had written before.
        #expect(Base.check(sent + [restored] + again + [Self.accepted("one", 10)], rules) == [.twoPlaces("one", at: "alice")])
        #expect(Base.check([restored] + sent + [Self.accepted("one", 9)], HistoryRules()) == [.twoPlaces("one", at: "alice")])
        #expect(
            Base.check(sent + [restored] + again + [Base.alice(.ok(message: "one", .sent))], rules) == [.stateBackwards("one")])
        // Somebody else's return excuses nothing.
        #expect(!Base.check(sent + [Base.bob(.restored)] + again, rules).isEmpty)
    }

    /// Its hub, restored a moment later, has forgotten the second number (`workbench simulate --faults all --seed 427`).
    @Test func `what an old copy of a client sent once more can be forgotten, and numbered anew`() {
        func check(_ events: [HistoryEvent]) -> [Violation] {
            let first = Base.sent("one") + [Self.accepted("one", 2), Base.shown("one", 2), Base.delivered("one")]
            return Base.check(first + events)
        }
        let (restored, again) = (Base.alice(.restored), Self.accepted("one", 5))
        #expect(check([restored, again, Self.setBack(3, through: 5), Self.accepted("one", 1_000)]) == [])
        #expect(check([restored, again, Self.accepted("one", 1_000)]) == [.twoPlaces("one", at: "alice")])
        #expect(check([again, Self.setBack(3, through: 5), Self.accepted("one", 1_000)]).contains(.twoPlaces("one", at: "alice")))
    }

    /// It does not know what its later self had heard (`workbench simulate --faults all --seed 423`).
    @Test func `an old copy of a client goes on with what its later self was told to have failed`() {
        let failed = Base.sent("one") + [Base.alice(.fail(message: "one", reason: "expired"))]
        let again = [Base.alice(.restored), Base.alice(.ok(message: "one", .queued))]
        #expect(Base.check(failed + [Base.alice(.ok(message: "one", .queued))]) == [.failedButAppeared("one")])
        #expect(Base.check(failed + again + [Base.alice(.fail(message: "one", reason: "expired"))] + Base.whole("two", 1)) == [])
        // From then on it is promised again.
        #expect(Base.check(failed + again + [Self.accepted("one", 1)] + Base.whole("two", 2)) == [.lost("one")])
        let twice = again + [Base.alice(.fail(message: "one", reason: "expired")), Self.accepted("one", 1)]
        #expect(Base.check(failed + twice + Base.whole("two", 2)) == [.failedButAppeared("one")])
    }

    @Test func `a message in whose place a lying hub told one member another is there, and the lie is noticed`() {
        let lie = HistoryEvent(0, "bob", .fault("lyingHub", conversation: "g"))
        let place = HistoryEvent.Place("g", 2)
        var history = [
            HistoryEvent(0, "alice", .found(conversation: "g")), lie,
            HistoryEvent(0, "alice", .change(HistoryEvent.Place("g", 1), .added, who: ["bob", "carol"])),
            HistoryEvent(0, "alice", .invoke(message: "zero", to: .group("g"))), HistoryEvent(0, "alice", .ok(message: "zero", .accepted)),
            HistoryEvent(0, "bob", .show(message: "zero", author: "alice", place)),
            HistoryEvent(0, "alice", .invoke(message: "one", to: .group("g"))),
            HistoryEvent(0, "alice", .ok(message: "one", .accepted, place)),
            HistoryEvent(0, "carol", .show(message: "one", author: "alice", place)),
        ]
        #expect(HistoryChecker.check(history) == [.lieUnnoticed(conversation: "g")])
        history.append(HistoryEvent(0, "bob", .alarm("forkedHistory", conversation: "g", number: 2)))
        #expect(HistoryChecker.check(history) == [])
        // What the victim could not send after it.
        let stuck = [
            HistoryEvent(0, "bob", .invoke(message: "two", to: .group("g"))), HistoryEvent(0, "bob", .ok(message: "two", .queued)),
        ]
        #expect(HistoryChecker.check(history + stuck) == [])
        #expect(HistoryChecker.check((history + stuck).filter { $0 != lie }).contains(.lost("two")))
        #expect(HistoryChecker.check(history.filter { $0 != lie }).contains(.twoAtOnePlace(place, at: "alice")))
    }

    @Test func `a lie is to be noticed at the next message, and there may be none before the hub is gone`() {
        let group = HistoryEvent.Recipient.group("g")
        var history = [
            HistoryEvent(0, "alice", .found(conversation: "g")), HistoryEvent(0, "bob", .fault("lyingHub", conversation: "g")),
            HistoryEvent(0, "alice", .change(HistoryEvent.Place("g", 1), .added, who: ["bob", "carol"])),
            HistoryEvent(0, "alice", .invoke(message: "one", to: group)), HistoryEvent(0, "alice", .invoke(message: "two", to: group)),
            HistoryEvent(0, "carol", .show(message: "one", author: "alice", HistoryEvent.Place("g", 2))),
            HistoryEvent(0, "bob", .show(message: "two", author: "alice", HistoryEvent.Place("g", 2))),
        ]
        let gone = HistoryEvent(0, "node1", .gone(conversation: "g"))
        #expect(HistoryChecker.check(history).contains(.lieUnnoticed(conversation: "g")))
        #expect(HistoryChecker.check(history + [gone]) == [])
        history.append(HistoryEvent(0, "carol", .invoke(message: "three", to: group)))
        let place = HistoryEvent.Place("g", 3)
        // Between two who were told the same story it tells nobody.
        #expect(HistoryChecker.check(history + [gone, HistoryEvent(0, "alice", .show(message: "three", author: "carol", place))]) == [])
        history.append(HistoryEvent(0, "bob", .show(message: "three", author: "carol", place)))
        #expect(HistoryChecker.check(history + [gone]) == [.lieUnnoticed(conversation: "g")])
    }
}
