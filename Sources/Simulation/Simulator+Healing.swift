internal import ClientCore
internal import Histories
internal import Vocabulary

// Peace: from here on all must come to agree.
extension Simulator {
    /// - Returns: how long it took; nil: it was not within the time.
    mutating func heal() throws -> Duration? {
        world.weather.clear()
        world.lie = nil
        for node in 0..<options.nodes {
            world.setSlow(.zero, node: node)
            world.mendDisk(node: node)
            try world.setFull(false, node: node)
        }
        for user in users { world.setReading(true, device: user) }
        world.recorder?.note(.healed, of: "run", at: world.now)
        let start = world.now
        var left = options.healingTime
        while left > .zero {
            try world.run(for: .seconds(2))
            left -= .seconds(2)
            if hasConverged {
                let time = world.now - start
                try world.run(for: .seconds(5))
                // Fresh keys come when their time has come: what is just on its way is no left-over.
                if leavesNothing { _ = try world.run(until: { $0.isEmptied }, within: .seconds(30)) }
                for _ in 0..<30 where !hasConverged { try world.run(for: .seconds(1)) }
                gauge()
                return time
            }
        }
        gauge()
        return nil
    }

    private var present: [Int] { users.filter { !expelled.contains($0 % options.nodes) } }

    /// Nothing of ours is on its way, all heads are alike and so are the directories.
    private var hasConverged: Bool {
        var heads: [ConversationID: Set<UInt64>] = [:]
        for user in present {
            let profile = world.profile(user)
            if profile.isWaiting(inGroups: expelled.isEmpty ? .delivered : .accepted) { return false }
            for one in profile.conversations.values where one.standing == .accepted {
                heads[one.id, default: []].insert(one.head.value)
                if one.isStale || one.committing != nil || one.hasHole { return false }
            }
        }
        return heads.values.allSatisfy { $0.count == 1 } && directoryViolations().isEmpty
    }

    /// All nodes must hold the same records of all users.
    func directoryViolations() -> [Violation] {
        let tables = (0..<options.nodes).filter { !expelled.contains($0) }.map { ($0, world.store($0).values[.userRecord] ?? [:]) }
        guard let first = tables.first else { return [] }
        return tables.dropFirst().filter { $0.1 != first.1 }.map {
            .notConverged(HistoryEvent.Place("directory", UInt64($0.1.count)), at: "node\($0.0)")
        }
    }

    private var leavesNothing: Bool { options.faults.isSubset(of: Fault.Kind.usual) }

    /// What is delivered to all is deleted. Where devices or nodes lost something for good, events may wait for them until they expire.
    private mutating func gauge() {
        guard leavesNothing else { return }
        for node in 0..<options.nodes {
            let (events, entries) = world.store(node).leftOvers
            world.recorder?.note(.gauge("events kept", value: Int64(events), bound: 0), of: "node\(node)", at: world.now)
            world.recorder?.note(.gauge("entries kept", value: Int64(entries), bound: 0), of: "node\(node)", at: world.now)
        }
    }
}

extension World {
    fileprivate var isEmptied: Bool { (0..<nodeCount).allSatisfy { store($0).leftOvers == (0, 0) } }
}

extension SimulatedProfile {
    /// A text of ours whose fate is open. Of a group that we have left we hear no more.
    /// - Parameter state: what it comes to in a group: where a member's node is gone, not all can confirm it.
    func isWaiting(inGroups state: MessageState) -> Bool {
        outbox.values.contains { item in
            let conversation = item.conversation.flatMap { conversations[$0] }
            let wanted = conversation.map { $0.profile.isDirect ? .delivered : state } ?? .delivered
            let isOver = conversation.map { one in one.standing != .accepted || item.number.map { $0 <= one.joined } ?? false } ?? false
            return item.isText && !isOver && item.state < wanted
        }
    }
}
