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

    /// What each speaker has had of the writer's time with dear inputs. A turn ends before the next input of one who has had a share of it,
    /// and then he rests: while others speak, a flood has a ninth of the time, and nobody waits for it longer than a share and one input.
    /// What is cheap goes on, for the larger a batch the less each message costs; and who speaks alone, a node that catches up, is not held up.
    package struct Shares {
        /// Of one turn, for one speaker, in inputs that take longer than `dear`.
        package static let shareMax = Duration.microseconds(300)
        package static let dear = Duration.microseconds(200)
        /// So many times as long as he spoke. With 3 others wait for a flooding node two and a half times as long as in calm, with 7 twice.
        package static let rest = 8
        /// Others count as speaking for so long after they did.
        package static let othersMax = Duration.milliseconds(20)
        /// Who had to rest is no bystander for so long.
        package static let remembered = Duration.seconds(1)

        private var had: [Speaker: Duration] = [:]
        private var restsUntil: [Speaker: Instant] = [:]
        private var othersSpoke: Instant?

        package init() {}

        package mutating func had(_ time: Duration, by speaker: Speaker, at now: Instant) {
            guard speaker != .node else { return }
            if time > Self.dear {
                had[speaker, default: .zero] += time
            } else if restsUntil.isEmpty || restsUntil[speaker] == nil {
                othersSpoke = now
            }
        }

        package func isExhausted(for speaker: Speaker) -> Bool { !had.isEmpty && had[speaker, default: .zero] > Self.shareMax }

        package mutating func turnEnded(at now: Instant) {
            if !restsUntil.isEmpty { restsUntil = restsUntil.filter { now - $0.value < Self.remembered } }
            guard !had.isEmpty else { return }
            for (speaker, time) in had where time > Self.shareMax { restsUntil[speaker] = now + time * Self.rest }
            had = [:]
        }

        package var hasResting: Bool { !restsUntil.isEmpty }

        /// When he may speak again; nil for at once.
        package func rest(of speaker: Speaker, at now: Instant) -> Instant? {
            guard !restsUntil.isEmpty, let until = restsUntil[speaker], until > now, let othersSpoke, now - othersSpoke < Self.othersMax
            else { return nil }
            return min(until, othersSpoke + Self.othersMax)
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
