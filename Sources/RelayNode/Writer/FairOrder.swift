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

    /// What each speaker has had of one turn. A turn ends before the next dear input of one who has had a share of it: who came meanwhile is
    /// heard first then, and waits for no flood. What is cheap goes on, for the larger a batch the less each message costs.
    package struct Shares {
        /// Of one turn, for one speaker, with inputs that take longer than `dear` on average.
        package static let shareMax = Duration.milliseconds(2)
        package static let dear = Duration.microseconds(100)

        private var had: [Speaker: (time: Duration, inputs: Int)] = [:]

        package init() {}

        package mutating func had(_ time: Duration, by speaker: Speaker) {
            let before = had[speaker] ?? (.zero, 0)
            had[speaker] = (before.time + time, before.inputs + 1)
        }

        package func isExhausted(for speaker: Speaker) -> Bool {
            guard speaker != .node, let had = had[speaker] else { return false }
            return had.time > Self.shareMax && had.time > Self.dear * had.inputs
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
