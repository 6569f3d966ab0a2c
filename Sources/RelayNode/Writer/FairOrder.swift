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
        case .clockRead, .dialFailed, .paged, .loaded, .spaceChanged, .spaceRead, .listening, .admin, .stopping, .deadlineReached,
            .batchEnded:
            .node
        }
    }

    /// Messages, and what follows them from node to node: most of what an honest speaker says where there is much to do.
    package static func carriesMessages(_ input: NodeInput) -> Bool {
        switch input {
        case .sessionFrame(_, .submit), .linkFrame(_, .entry): true
        default: false
        }
    }

    /// What each speaker has had of the writer's time with dear inputs, and with all that carries no messages. A turn ends before the next
    /// input of one who has had a share of it, and then he rests: while others speak, he has a quarter of the time, and nobody waits for it
    /// longer than a share and one input. Who goes on as soon as he has rested, again and again, has a ninth of it, in smaller shares: a flood
    /// does, and a node that joins; not one whose users change large groups now and then. Messages that are cheap go on, for the larger a
    /// batch the less each costs; and who speaks alone, a node that catches up, is not held up.
    package struct Shares {
        /// Inputs that take longer.
        package static let dear = Duration.microseconds(200)
        /// Others count as speaking for so long after they did.
        package static let othersMax = Duration.milliseconds(20)
        /// Who had to rest is no bystander for so long.
        package static let remembered = Duration.seconds(1)
        /// Who speaks again so soon after his rest has not paused.
        package static let pause = Duration.milliseconds(20)
        /// So many rests without a pause are a flood.
        package static let insistentFrom = 10

        /// What it took to decode a frame, before the writer had it: an estimate, by what the frame costs of its credit (10 ns a byte).
        package static func decoding(bytes: Int) -> Duration { .nanoseconds(Int64(bytes) * 10) }

        /// Of one turn, for one speaker.
        package static func shareMax(insistent: Bool) -> Duration { .microseconds(insistent ? 300 : 1_000) }
        /// So many times as long as he spoke. With 3 others wait for a flooding node two and a half times as long as in calm, with 7 twice.
        package static func rest(insistent: Bool) -> Int { insistent ? 8 : 3 }

        private struct Rest {
            var until: Instant
            /// How many there were without a pause.
            var inARow: Int
            var isInsistent: Bool { inARow >= Shares.insistentFrom }
        }

        private var had: [Speaker: Duration] = [:]
        private var rests: [Speaker: Rest] = [:]
        private var othersSpoke: Instant?

        package init() {}

        /// - Parameter bytes: of a frame that carries no messages. One that does counts by what was done with it alone: many users share a link.
        package mutating func had(_ time: Duration, by speaker: Speaker, bytes: Int?, at now: Instant) {
            guard speaker != .node else { return }
            let isDear = time > Self.dear
            if let bytes {
                had[speaker, default: .zero] += time + Self.decoding(bytes: bytes)
            } else if isDear {
                had[speaker, default: .zero] += time
            }
            if !isDear, rests.isEmpty || rests[speaker] == nil { othersSpoke = now }
        }

        package func isExhausted(for speaker: Speaker) -> Bool {
            guard !had.isEmpty, let time = had[speaker] else { return false }
            return time > Self.shareMax(insistent: rests[speaker]?.isInsistent ?? false)
        }

        package mutating func turnEnded(at now: Instant) {
            if !rests.isEmpty { rests = rests.filter { now - $0.value.until < Self.remembered } }
            guard !had.isEmpty else { return }
            for (speaker, time) in had where isExhausted(for: speaker) {
                let last = rests[speaker]
                let inARow = last.map { now - $0.until < Self.pause + time ? $0.inARow + 1 : 1 } ?? 1
                let isInsistent = inARow >= Self.insistentFrom
                rests[speaker] = Rest(until: now + time * Self.rest(insistent: isInsistent), inARow: inARow)
            }
            had = [:]
        }

        package var hasResting: Bool { !rests.isEmpty }

        /// When he may speak again; nil for at once.
        package func rest(of speaker: Speaker, at now: Instant) -> Instant? {
            guard !rests.isEmpty, let until = rests[speaker]?.until, until > now, let othersSpoke, now - othersSpoke < Self.othersMax
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
