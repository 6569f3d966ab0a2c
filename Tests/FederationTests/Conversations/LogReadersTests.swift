import Federation
import Testing
import Vocabulary

/// A large conversation whose devices are away: they read the hub's log when they are back.
@Suite struct LogReadersTests {
    /// Members 0 to 2 live at the hub, all have what came so far; member 1 is away.
    private func group(_ homes: [Int] = [0, 0, 0]) throws -> Anchorage {
        var anchorage = try Anchorage.group(homes)
        for index in homes.indices where homes[index] == 0 { try takeAll(index, in: &anchorage) }
        try leave(1, in: &anchorage)
        return anchorage
    }

    private func leave(_ index: Int, in anchorage: inout Anchorage) throws {
        anchorage.relay.core.logReadersMin = 2
        try anchorage.relay.step(.sessionClosed(SessionID(anchorage.members[index].session)))
    }

    private func takeAll(_ index: Int, in anchorage: inout Anchorage) throws {
        let all = QueuePosition(unchecked: counterMax)
        try anchorage.relay.acknowledge(all, [try anchorage.members[index].watermark()], in: anchorage.members[index].session)
    }

    /// Comes back, takes what it is given and acknowledges it, until no more comes.
    /// - Returns: the numbers of each turn, and whether it was told that it has caught up, and behind which turn.
    private func comeBack(_ index: Int, in anchorage: inout Anchorage) throws -> (turns: [[UInt64]], caughtUpAfter: Int?) {
        anchorage.relay.core.logReadersMin = 2
        let session = anchorage.members[index].session
        var effects = try anchorage.relay.signIn(anchorage.members[index].person, as: session)
        var (turns, caughtUpAfter): ([[UInt64]], Int?) = ([], nil)
        while true {
            let entries = effects.entries(to: session)
            #expect(entries.map(\.position) == entries.map(\.position).sorted())
            try anchorage.members[index].take(entries.map(\.item))
            if !entries.isEmpty { turns.append(effects.events(to: session).map(\.number.value)) }
            if effects.frames(to: session).contains(NodeFrame.caughtUp) { caughtUpAfter = turns.count }
            guard let last = entries.last?.position else { return (turns, caughtUpAfter) }
            effects = try anchorage.relay.acknowledge(last, [try anchorage.members[index].watermark()], in: session)
        }
    }

    private func rows(_ anchorage: Anchorage) throws -> Int { try anchorage.relay.store.values(.logReader).count }
    private func queued(_ index: Int, _ anchorage: Anchorage) throws -> Int {
        try anchorage.relay.store.outline(.device(anchorage.members[index].device)).count
    }

    @Test func `who is away has one row for the absence, and reads all of it in the log when it is back, turn by turn`() throws {
        var anchorage = try group()
        let texts = (0..<150).map { "\($0)" }
        for text in texts { try anchorage.say(text, by: 0) }
        try #expect(rows(anchorage) == 1 && queued(1, anchorage) == 0 && anchorage.members[2].texts == texts)
        let (turns, caughtUpAfter) = try comeBack(1, in: &anchorage)
        #expect(anchorage.members[1].texts == texts && turns.count == 3 && caughtUpAfter == 3)
        try #expect(rows(anchorage) == 0)
        // From then on as everybody.
        let effects = try anchorage.say("now", by: 0)
        #expect(effects.events(to: 2).count == 1 && anchorage.members[1].texts.last == "now")
    }

    @Test func `what is said while it reads comes behind it, and nothing twice`() throws {
        var anchorage = try group()
        for index in 0..<70 { try anchorage.say("\(index)", by: 0) }
        let first = try anchorage.relay.signIn(anchorage.members[1].person, as: 2)
        try anchorage.members[1].take(first.items(to: 2))
        try #expect(anchorage.say("meanwhile", by: 2).events(to: 2).isEmpty)
        let position = try #require(first.entries(to: 2).last?.position)
        let second = try anchorage.relay.acknowledge(position, [], in: 2)
        try anchorage.members[1].take(second.items(to: 2))
        #expect(anchorage.members[1].texts == (0..<70).map { "\($0)" } + ["meanwhile"] && second.frames(to: 2).contains(NodeFrame.caughtUp))
    }

    @Test func `a node that dies meanwhile gives it all the same`() throws {
        var anchorage = try group()
        for index in 0..<70 { try anchorage.say("\(index)", by: 0) }
        try anchorage.relay.restart()
        for index in [0, 2] { try anchorage.relay.signIn(anchorage.members[index].person, as: UInt64(index + 1)) }
        anchorage.relay.core.logReadersMin = 2
        try anchorage.say("later", by: 0)
        try #expect(rows(anchorage) == 1 && queued(1, anchorage) == 0)
        // Its session is cut off before it has acknowledged anything.
        try anchorage.relay.signIn(anchorage.members[1].person, as: 2)
        try leave(1, in: &anchorage)
        _ = try comeBack(1, in: &anchorage)
        #expect(anchorage.members[1].texts == (0..<70).map { "\($0)" } + ["later"])
        try #expect(rows(anchorage) == 0)
    }

    @Test func `a node that has just started reads a conversation from disk for who comes back first`() throws {
        var anchorage = try group()
        for index in 0..<70 { try anchorage.say("\(index)", by: 0) }
        try anchorage.relay.restart()
        let (turns, caughtUpAfter) = try comeBack(1, in: &anchorage)
        #expect(anchorage.members[1].texts == (0..<70).map { "\($0)" } && turns.count == 2 && caughtUpAfter == 2)
    }

    @Test func `who is removed while it is away is given what was said before, and the removal`() throws {
        var anchorage = try group()
        for index in 0..<70 { try anchorage.say("\(index)", by: 0) }
        try takeAll(0, in: &anchorage)
        try takeAll(2, in: &anchorage)
        try anchorage.remove(1, by: 0)
        try anchorage.say("without him", by: 0)
        try #expect(rows(anchorage) == 0 && queued(1, anchorage) == 71)
        _ = try comeBack(1, in: &anchorage)
        #expect(anchorage.members[1].texts == (0..<70).map { "\($0)" } && anchorage.members[1].wasRemoved)
        try #expect(queued(1, anchorage) == 0)
    }

    @Test func `a full disk keeps nobody from reading, and what has expired is not given any more`() throws {
        var anchorage = try group()
        try anchorage.submit(
            try anchorage.members[0].say("short", message: anchorage.nextMessage()).living(seconds: 60), by: 0)
        for index in 0..<3 { try anchorage.say("\(index)", by: 0) }
        try anchorage.wait(.seconds(100))
        try anchorage.relay.step(.spaceChanged(isLow: true))
        let effects = try anchorage.relay.signIn(anchorage.members[1].person, as: 2)
        #expect(effects.events(to: 2).count == 3 && effects.frames(to: 2).contains(NodeFrame.caughtUp))
        let grows = effects.writes.contains { write in
            switch write {
            case .enqueue, .storeEvent, .put: true
            case .remove, .releaseEvent, .dequeue, .withdraw: false
            }
        }
        #expect(!grows)
    }

    @Test func `a hub that was restored puts what is unread into the queues before others say who is in it`() throws {
        var anchorage = try group()
        for index in 0..<3 { try anchorage.say("\(index)", by: 0) }
        try anchorage.relay.store.markRestored(at: anchorage.relay.wall)
        try anchorage.relay.restart()
        anchorage.relay.core.logReadersMin = 2
        for index in [0, 2] { try anchorage.relay.signIn(anchorage.members[index].person, as: UInt64(index + 1)) }
        try anchorage.wait(.seconds(10))
        try #expect(rows(anchorage) == 0 && queued(1, anchorage) >= 4)
    }
}

extension Submission {
    fileprivate func living(seconds: UInt32) -> Submission {
        Submission(message: message, conversation: conversation, hub: hub, kind: kind, timeToLive: seconds)
    }
}
