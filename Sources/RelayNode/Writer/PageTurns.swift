package import Federation
package import Vocabulary

/// What the core has ordered to be read from disk.
package enum Reading: Equatable, Sendable {
    case page(PageOrder)
    case rows(RowsNeeded)

    /// It leads to frames for a device.
    var isForDevice: Bool {
        switch self {
        case .page(let order): order.destination.isDevice
        case .rows(.events), .rows(.log): true
        case .rows(.conversation), .rows(.keyPackages): false
        }
    }
}

/// What waits to be read, of both kinds by turns of who asks: a user with many devices has no more of them than one with a single one.
package struct ReadingLine {
    package enum Kind: Sendable {
        /// What devices and nodes have not had yet, and what the node needs itself.
        case fresh
        /// What devices have had once and ask for again: 90 bytes order megabytes.
        case again
    }

    /// Whose turn it is.
    package enum Asker: Hashable, Sendable {
        case user(UserID)
        /// A device of nobody any more.
        case device(DeviceID)
        case node(NodeID)
        case own
    }

    private struct Turns {
        private var lines: [Asker: ArraySlice<Reading>] = [:]
        private var askers: ArraySlice<Asker> = []
        private(set) var count = 0

        mutating func add(_ reading: Reading, of asker: Asker) {
            if lines[asker] == nil { askers.append(asker) }
            lines[asker, default: []].append(reading)
            count += 1
        }

        mutating func next() -> Reading? {
            guard let asker = askers.popFirst(), let reading = lines[asker]?.popFirst() else { return nil }
            count -= 1
            if lines[asker]?.isEmpty == true { lines[asker] = nil } else { askers.append(asker) }
            return reading
        }
    }

    private var (fresh, again) = (Turns(), Turns())

    package init() {}

    package var isEmpty: Bool { count == 0 }
    package var count: Int { fresh.count + again.count }
    package var waits: (fresh: Bool, again: Bool) { (fresh.count > 0, again.count > 0) }

    /// - Parameter userOf: whose device it is, of this node's users.
    package mutating func add(_ reading: Reading, userOf: (DeviceID) -> UserID?) {
        func asker(_ device: DeviceID) -> Asker { userOf(device).map { .user($0) } ?? .device(device) }
        switch reading {
        case .rows(.events(_, for: let entry)): again.add(reading, of: .user(entry.user))
        case .rows(.log(_, for: let device, in: _)): fresh.add(reading, of: asker(device))
        case .rows(.conversation), .rows(.keyPackages): fresh.add(reading, of: .own)
        case .page(let order):
            switch order.destination {
            case .device(let device): fresh.add(reading, of: asker(device))
            case .node(let node): fresh.add(reading, of: .node(node))
            }
        }
    }

    package mutating func next(_ kind: Kind) -> Reading? {
        switch kind {
        case .fresh: fresh.next()
        case .again: again.next()
        }
    }
}

/// When queues are read back for those who come to fetch what waited for them: some of it in each turn, and while others write only for a
/// part of the time. Every page leads to frames, watermarks and commits on all nodes that have a part in it, several times the work of reading
/// it: that is what others wait for, and what the rest is for.
///
/// What was read once before has a rest of its own, so that nobody's fresh pages wait for it, and beside those a tenth of the time of
/// reading in all, whoever asks.
package struct PageTurns {
    /// How long a turn reads; one page more at most.
    package static let turnMax = Duration.milliseconds(1)
    /// How long nothing more is read because of what took so long to read.
    package static func rest(after time: Duration, forDevice: Bool) -> Duration {
        // With 19 others' p99 is up to 2.6 times the calm one, with 9 more. Others wait for what a node lacks: it comes back within seconds
        // after hours, whatever is said meanwhile.
        time * (forDevice ? 29 : 3)
    }
    /// Entries of a device's page while others write: they wait for all that is read at once, and for what it leads to.
    package static let entriesMax = 64
    /// And bytes of it, or who has large ones takes the time of all.
    package static let bytesMax = 128 * 1024
    /// Others count as writing for so long after they did.
    package static let othersMax = Duration.milliseconds(100)

    /// What is fresh has so many times the time of what is read again, while both are wanted.
    static let freshShare = 9

    /// What the last turn that read some of a kind has it wait for.
    private struct Rest {
        var began: Instant?
        var length = Duration.zero
        /// Of this turn.
        var owed = Duration.zero

        mutating func begin(at now: Instant) {
            if owed > .zero { (began, length, owed) = (now, owed, .zero) }
        }

        func end(times factor: Int = 1) -> Instant? { began.map { $0 + length * factor } }
    }

    private var (fresh, again) = (Rest(), Rest())
    /// How long what is read again leaves the disk to what is fresh where nobody writes.
    private var leaves = Rest()
    package private(set) var othersWrote: Instant?

    package init() {}

    /// Whoever fetches only acknowledges, here or on another node: watermarks and receipts are no writing.
    package mutating func heard(_ input: NodeInput, at now: Instant) {
        switch input {
        case .sessionFrame(_, .submit), .linkFrame(_, .entry(_, .submission)), .linkFrame(_, .entry(_, .event)): othersWrote = now
        default: break
        }
    }

    /// Which of what waits is read next, and from when on. Nobody rests where nobody writes.
    package func next(of waits: (fresh: Bool, again: Bool), at now: Instant) -> (kind: ReadingLine.Kind, due: Instant)? {
        let writingEnds = writingEnds(at: now)
        func due(_ rest: Instant?) -> Instant { max(now, min(rest ?? now, writingEnds ?? now)) }
        let freshDue = waits.fresh ? due(fresh.end()) : nil
        guard waits.again else { return freshDue.map { (.fresh, $0) } }
        let againDue: Instant
        if writingEnds == nil {
            againDue = waits.fresh ? max(now, leaves.end() ?? now) : now
        } else if waits.fresh {
            againDue = due(again.end(times: 1 + Self.freshShare))
        } else {
            // Who fetches page after page is between two of them.
            let isFetched = fresh.began.map { now - $0 < Self.othersMax } ?? false
            againDue = due(again.end(times: isFetched ? 1 + Self.freshShare : 1))
        }
        if let freshDue, freshDue < againDue { return (.fresh, freshDue) }
        return (.again, againDue)
    }

    /// Something was read in this turn.
    package mutating func read(_ kind: ReadingLine.Kind, in time: Duration, forDevice: Bool) {
        let rest = Self.rest(after: time, forDevice: forDevice)
        switch kind {
        case .fresh: fresh.owed += rest
        case .again:
            again.owed += rest
            leaves.owed += time * Self.freshShare
        }
    }

    /// What was read in this turn has its rest from now on.
    package mutating func turnEnded(at now: Instant) {
        fresh.begin(at: now)
        again.begin(at: now)
        leaves.begin(at: now)
    }

    /// How many entries a page may have, and bytes.
    package func pageMax(of destination: Destination, at now: Instant) -> (entries: Int, bytes: Int) {
        guard destination.isDevice, writingEnds(at: now) != nil else { return (.max, .max) }
        return (Self.entriesMax, Self.bytesMax)
    }

    /// Until when others count as writing; nil when they do not.
    private func writingEnds(at now: Instant) -> Instant? {
        guard let othersWrote, now - othersWrote < Self.othersMax else { return nil }
        return othersWrote + Self.othersMax
    }
}

extension Destination {
    fileprivate var isDevice: Bool { if case .device = self { true } else { false } }
}
