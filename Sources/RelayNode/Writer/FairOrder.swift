package import Federation
package import Vocabulary

/// The order in which the writer takes what waits: by turns, one input of each connection, so that who sends much or what is dear waits behind
/// itself and not in front of others. What one connection said keeps its order.
package enum FairOrder {
    /// Whose turn it is.
    package enum Speaker: Hashable, Sendable {
        case session(SessionID)
        case link(LinkID)
        /// The node itself: its disk, its operator, its clock.
        case node
    }

    package static func speaker(of input: NodeInput) -> Speaker {
        switch input {
        case .sessionOpened(let session), .sessionFrame(let session, _), .sessionClosed(let session): .session(session)
        case .linkOpened(let link, _, _), .linkFrame(let link, _), .linkClosed(let link): .link(link)
        case .clockRead, .dialFailed, .paged, .loaded, .spaceChanged, .listening, .admin, .stopping, .deadlineReached, .batchEnded: .node
        }
    }

    package static func interleaved<Item>(_ items: [Item], by speaker: (Item) -> Speaker) -> [Item] {
        guard items.count > 2 else { return items }
        var spoken: [Speaker: Int] = [:]
        // The first of each, the second of each …
        var rounds: [[Item]] = []
        for item in items {
            let round = spoken[speaker(item), default: 0]
            spoken[speaker(item)] = round + 1
            if round == rounds.count { rounds.append([]) }
            rounds[round].append(item)
        }
        return rounds.flatMap(\.self)
    }
}
