internal import ClientCore
internal import Histories
internal import Vocabulary

// Peace: from here on all must come to agree.
extension Simulator {
    /// - Returns: how long it took; nil: it was not within the time; then what is open.
    mutating func heal() throws -> (after: Duration?, open: [Violation]) {
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
                return (time, [])
            }
        }
        gauge()
        return (nil, openEnds)
    }

    private var present: [Int] { users.filter { !expelled.contains($0 % options.nodes) } }

    /// Nothing of ours is on its way, all heads are alike and so are the directories.
    private var hasConverged: Bool {
        var heads: [ConversationID: Set<UInt64>] = [:]
        for user in present {
            let profile = world.profile(user)
            if openEnd(of: user) != nil { return false }
            for one in profile.conversations.values where goesOn(one) { heads[one.id, default: []].insert(one.head.value) }
        }
        return heads.values.allSatisfy { $0.count == 1 } && directoryViolations().isEmpty
    }

    /// With us in it, and its hub honest and in the federation.
    private func goesOn(_ one: Conversation) -> Bool { isIn(one) && !liedAbout.contains(one.id) }

    private func isIn(_ one: Conversation) -> Bool {
        one.standing == .accepted && !expelled.contains { world.nodeID($0) == one.key.hub }
    }

    /// What of a device has still to come to its end; always the same of several.
    private func openEnd(of user: Int) -> String? {
        let profile = world.profile(user)
        let gone = Set(users.filter { expelled.contains($0 % options.nodes) }.map { world.profile($0).account.userID })
        if let item = profile.waiting(without: gone, liedAbout) {
            return "\(item.message.hex) is \(item.state) in \(item.conversation?.hex ?? "no conversation yet")"
        }
        let open = profile.conversations.values.filter { one in
            // Whoever lacks something since a hub lied finds that out once it answers.
            one.isStale ? isIn(one) : goesOn(one) && (one.committing != nil || world.lacks(one.id, at: user))
        }
        return open.min { $0.id < $1.id }.map { one in
            let what = one.isStale ? "it is not" : world.lacks(one.id, at: user) ? "something is missing" : "a commit waits"
            return "\(what) in \(one.id.hex)"
        }
    }

    private var openEnds: [Violation] {
        let ends = present.compactMap { user in openEnd(of: user).map { Violation.unsettled($0, at: name(user)) } }
        guard ends.isEmpty else { return ends }
        var heads: [ConversationID: [(user: String, head: UInt64)]] = [:]
        for user in present {
            for one in world.profile(user).conversations.values where goesOn(one) {
                heads[one.id, default: []].append((name(user), one.head.value))
            }
        }
        return heads.sorted { $0.key < $1.key }.flatMap { id, devices in
            let top = devices.map(\.head).max() ?? 0
            return devices.filter { $0.head < top }.map { Violation.notConverged(HistoryEvent.Place(id.hex, $0.head), at: $0.user) }
        }
    }

    /// All nodes must hold the same records of all users.
    func directoryViolations() -> [Violation] {
        let tables = (0..<options.nodes).filter { !expelled.contains($0) }.map { ($0, world.records(at: $0)) }
        guard let first = tables.first else { return [] }
        let different = tables.dropFirst().filter { $0.1 != first.1 }.map { ($0.0, $0.1.count) }
        // A home that is restored may have been the only one to have it.
        let outdated = options.faults.contains(.copies) ? 0 : world.outdated(first.1, at: first.0)
        return (different + (outdated > 0 ? [(first.0, outdated)] : [])).map { node, count in
            .notConverged(HistoryEvent.Place("directory", UInt64(count)), at: "node\(node)")
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
    /// - Parameter gone: whose nodes are none any more: they confirm nothing, and a group that has them is confirmed by the others alone.
    /// - Parameter liedAbout: conversations whose hub told somebody another story: who has noticed takes no part any more.
    func waiting(without gone: Set<UserID>, _ liedAbout: Set<ConversationID>) -> OutboxItem? {
        outbox.values.filter { item in
            if let id = item.conversation, liedAbout.contains(id) { return false }
            let conversation = item.conversation.flatMap { conversations[$0] }
            let isConfirmed = gone.isEmpty || conversation?.profile.peer(of: account.userID).map { !gone.contains($0) } ?? false
            let isOver = conversation.map { one in one.standing != .accepted || item.number.map { $0 <= one.joined } ?? false } ?? false
            return item.isText && !isOver && item.state < (isConfirmed ? .delivered : .accepted)
        }.min { $0.message < $1.message }
    }
}
