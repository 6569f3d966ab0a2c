import Cryptography
import Federation
import Groups
import MLS
import Testing
import Vocabulary

/// Checklist H1.
@Suite struct CommitRaceTests {
    @Test(arguments: [false, true]) func `of 20 commits for one epoch exactly one is accepted, the others learn the epoch`(inOneBatch: Bool)
        throws
    {
        var anchorage = try Anchorage.group([Int](repeating: 0, count: 20))
        let submissions = try (0..<20).map { try anchorage.members[$0].commit([], message: anchorage.nextMessage()) }
        var effects: [NodeEffect] = []
        if inOneBatch {
            effects = try anchorage.relay.batch(
                submissions.enumerated().map { .sessionFrame(SessionID(anchorage.members[$0.offset].session), .submit($0.element)) })
        } else {
            for (index, submission) in submissions.enumerated() { effects += try anchorage.submit(submission, by: index, feeding: false) }
        }
        let accepted = (0..<20).filter { !effects.acceptances(to: UInt64($0 + 1)).isEmpty }
        #expect(accepted == [0] && effects.storedEvents == 1)
        for index in 1..<20 {
            let refusal = anchorage.refusals(
                effects.filter { if case .sendSession(SessionID(UInt64(index + 1)), _) = $0 { true } else { false } })
            #expect(refusal.map(\.code) == [.staleEpoch] && refusal.map(\.epoch) == [2])
        }
        try anchorage.feed(effects)
        #expect(anchorage.epoch == 2)
        try #expect(anchorage.agree(Array(0..<20)))
    }

    @Test func `all who lost commit anew until each has won, and nobody is stuck`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 1, 0])
        var waiting = Array(0..<5)
        var rounds = 0
        while !waiting.isEmpty {
            rounds += 1
            let submissions = try waiting.map { ($0, try anchorage.members[$0].commit([], message: anchorage.nextMessage())) }
            var effects: [NodeEffect] = []
            for (index, submission) in submissions { effects += try anchorage.submit(submission, by: index, feeding: false) }
            for (index, _) in submissions
            where anchorage.items(effects, for: index).contains(where: { if case .accepted = $0 { true } else { false } }) {
                waiting.removeAll { $0 == index }
            }
            try anchorage.feed(effects)
            try #require(rounds <= 5)
        }
        #expect(rounds == 5 && anchorage.epoch == 6)
        try #expect(anchorage.agree(Array(0..<5)))
    }

    @Test func `GroupInfo, epoch, roster and event are one transaction, and the GroupInfo is that of the newest epoch`() throws {
        var anchorage = try Anchorage.group([0, 0])
        let commits = anchorage.relay.store.commits
        try anchorage.submit(try anchorage.members[1].commit([], message: 50), by: 1)
        #expect(anchorage.relay.store.commits == commits + 1)
        try anchorage.restart()
        let parcel = try #require(try anchorage.fetch(by: 0))
        let info = try #require(try MLSMessage(parcel.groupInfo).groupInfo)
        #expect(info.context.epoch == 2 && anchorage.epoch == 2 && parcel.head == 2)
        // An older GroupInfo under a newer commit.
        var stale = try anchorage.members[0].commit([], message: 51)
        guard case .commit(let bundle) = stale.kind else { return }
        stale = anchorage.members[0].submission(
            51, .commit(CommitBundle(epoch: bundle.epoch, commit: bundle.commit, welcome: nil, groupInfo: parcel.groupInfo)))
        try #expect(anchorage.refusals(anchorage.submit(stale, by: 0)).map(\.code) == [.handshakeInvalid])
        #expect(anchorage.epoch == 2)
    }

    @Test func `a message of an older or a later epoch is stale, and the refusal carries the hub's epoch`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        let late = try anchorage.members[1].say("late", message: 60)
        let far = try anchorage.members[2].say("late too", message: 61)
        try anchorage.submit(try anchorage.members[0].commit([], message: 62), by: 0)
        for (submission, index) in [(late, 1), (far, 2)] {
            let refusals = anchorage.refusals(try anchorage.submit(submission, by: index))
            #expect(refusals.map(\.code) == [.staleEpoch] && refusals.map(\.epoch) == [2])
        }
        var ahead = anchorage.members[1]
        ahead.group = try anchorage.members[1].mine
        let commit = try ahead.mine.commit(CommitPlan([]), host: Sailor.host, using: &ahead.random)
        try ahead.group?.merge(commit, host: Sailor.host)
        try #expect(anchorage.refusals(anchorage.submit(ahead.say("early", message: 63), by: 1)).map(\.epoch) == [2])
        // Sealed anew under the same message id.
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[1].say("late", message: 60), by: 1)).isEmpty)
        #expect(anchorage.members[0].texts == ["late"])
    }
}

extension Anchorage {
    /// What a device is told that wants to rejoin; nil when it is refused.
    mutating func fetch(by index: Int) throws -> GroupParcel? {
        let effects: [NodeEffect]
        var parts: [AnswerPart] = []
        if members[index].session > 0 {
            effects = try relay.step(.sessionFrame(SessionID(members[index].session), .fetchGroup(RequestID(5), key)))
            for case .group(RequestID(5), let part) in effects.frames(to: members[index].session) { parts.append(part) }
        } else {
            let link = link(of: members[index])
            effects = try relay.step(.linkFrame(LinkID(link), .fetchGroup(RequestID(5), key, by: members[index].entry)))
            for case .group(RequestID(5), let part) in effects.frames(on: link) { parts.append(part) }
        }
        guard let first = parts.first else { return nil }
        #expect(parts.map(\.index) == Array(0..<first.count))
        return try GroupParcel(decoding: parts.flatMap(\.bytes))
    }
}
