internal import ClientCore
internal import Federation
internal import Histories
internal import Lies
internal import Vocabulary

// Faults that are somebody's: old copies, lies, expulsion.
extension Simulator {
    /// A copy of a node's disk is taken; a while later the node goes on from it, marked as `posthouse backup restore` does it.
    mutating func replaceNode() {
        let node = Int.random(in: 0..<options.nodes, using: &random)
        let copy = world.store(node).backup
        agenda.add(
            .later { simulator in
                simulator.happens(.oldNode, to: "node\(node)")
                simulator.world.kill(node: node, for: .seconds(1))
                let given = try simulator.world.store(node).heads()
                simulator.world.store(node).restore(copy)
                try simulator.noteForgotten(given, of: node)
                try simulator.world.store(node).markRestored(at: simulator.world.wall)
            }, at: world.now + age())
    }

    /// How far the node had counted in the conversations that it is hub of, and how far its copy had.
    private mutating func noteForgotten(_ given: [ConversationID: UInt64], of node: Int) throws {
        let kept = try world.store(node).heads()
        for (conversation, through) in given.sorted(by: { $0.key < $1.key }) {
            guard let from = kept[conversation] else {
                world.recorder?.note(.gone(conversation: conversation.hex), of: "node\(node)", at: world.now)
                continue
            }
            let place = HistoryEvent.Place(conversation.hex, from)
            world.recorder?.note(.setBack(place, through: through), of: "node\(node)", at: world.now)
        }
    }

    /// Of a copy when it comes into use: before the run is over.
    private mutating func age() -> Duration {
        let most = min(Duration.seconds(30).nanoseconds, options.time.nanoseconds / 6)
        return .nanoseconds(Int64.random(in: most / 6...most, using: &random))
    }

    /// Those that the node is hub of.
    private func conversations(at node: Int) -> [ConversationID] {
        var found: Set<ConversationID> = []
        for user in users {
            for one in world.profile(user).conversations.values where one.key.hub == world.nodeID(node) { found.insert(one.id) }
        }
        return found.sorted()
    }

    /// A copy of a device's profile is taken; a while later the device goes on from it.
    mutating func replaceDevice() {
        let user = users[Int.random(in: 0..<users.count, using: &random)]
        let copy = world.profile(user)
        agenda.add(
            .later { simulator in
                simulator.happens(.oldDevice, to: simulator.name(user))
                simulator.world.restore(copy, device: user)
            }, at: world.now + age())
    }

    /// A hub tells one member another story, from what it has now on.
    mutating func lie() {
        guard world.lie == nil, let group = groups.randomElement(using: &random) else { return }
        let inside = Set(world.members(of: group.id, at: group.owner).map(\.device))
        let members = users.filter { inside.contains(world.profile($0).account.deviceID) && $0 != group.owner }
        guard let victim = members.randomElement(using: &random), let one = world.profile(victim).conversations[group.id] else { return }
        let lies: [Liar.Lie] = [.drop, .swap, .repeat, .altered, .gap, .foreignSender]
        guard let lie = lies.randomElement(using: &random) else { return }
        let (ids, device) = (users.map { world.profile($0).account.deviceID }, world.profile(victim).account.deviceID)
        let liar = Liar(lie, in: group.id, after: (one.head, one.chain), to: { $0 == device })
        world.lie = { liar.tell(ids[$0], $1) }
        liedAbout.insert(group.id)
        happens(.lyingHub, to: name(victim), in: group.id)
    }

    /// A member of the federation passes on a record of somebody's that nobody signed so.
    mutating func forgeRecord() {
        let (node, user) = (Int.random(in: 0..<options.nodes, using: &random), users[Int.random(in: 0..<users.count, using: &random)])
        guard world.forgeRecord(of: world.profile(user).account.userID, from: node) else { return deck.insert(.forgedRecord, at: 0) }
        happens(.forgedRecord, to: "node\(node)")
    }

    mutating func expel() throws {
        guard options.nodes > 2 else { return }
        let node = Int.random(in: 1..<options.nodes, using: &random)
        guard try world.expel(node: node, by: 0) else { return deck.insert(.expulsion, at: 0) }
        expelled.insert(node)
        happens(.expulsion, to: "node\(node)")
        for conversation in conversations(at: node) {
            world.recorder?.note(.gone(conversation: conversation.hex), of: "node\(node)", at: world.now)
        }
        for user in users where user % options.nodes == node {
            let name = name(user)
            world.recorder?.note(.gone(conversation: nil), of: name, at: world.now)
        }
    }
}
