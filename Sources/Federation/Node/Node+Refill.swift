internal import Vocabulary

// A peer that goes on from an old copy of its store lacks what it had acknowledged since: what its devices have not said to have is in the
// logs here, and is sent once more (docs/protocol/node-link.md, "Queues"). A device that knows a conversation asks for what it lacks by
// itself; of one whose Welcome went with the old store it knows nothing.
extension Node {
    struct Refill: Sendable {
        /// In the hub's list of conversations; nil: it has been through.
        var next: Int? = 0
        /// Being read from disk.
        var awaited: Set<ConversationID> = []
        var begins: Instant
    }

    /// One refill at a time, and one a minute: a peer that goes back and forth costs no more.
    mutating func refill(_ peer: NodeID) {
        count("peers_refilled")
        let earliest = refills[peer].map { $0.begins + .minutes(1) } ?? now
        refills[peer] = Refill(begins: max(now, earliest))
        refillPeers()
    }

    /// Takes up the next conversations for each peer whose turn it is.
    mutating func refillPeers() {
        guard !isSpaceLow else { return }
        for (peer, state) in refills.sorted(by: { $0.key < $1.key }) where state.begins <= now {
            guard let next = state.next else { continue }
            let some = hub.conversations(from: next, count: Limits.recoveriesPerSweep)
            let asleep = some.filter { hub.isAsleep($0) }
            refills[peer]?.next = some.isEmpty ? nil : next + some.count
            refills[peer]?.awaited = Set(asleep)
            for conversation in asleep { out.append(.load(.conversation(conversation))) }
            for conversation in some where hub.isResident(conversation) { refill(peer, from: conversation) }
        }
    }

    /// One that was awaited has come into memory.
    mutating func refillLoaded(_ conversation: ConversationID) {
        for peer in refills.keys.sorted() where refills[peer]?.awaited.remove(conversation) != nil { refill(peer, from: conversation) }
    }

    private mutating func refill(_ peer: NodeID, from conversation: ConversationID) {
        let key = ConversationKey(hub: id, conversation: conversation)
        for (entry, from) in hub.lacking(in: conversation) where directory.home(of: entry.user) == peer {
            refetch(key, by: entry, from: from, through: SequenceNumber(unchecked: counterMax))
        }
    }
}
