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

/// What waits to be read. What devices have had once and ask for again waits behind what they have not had, but for a part of the turns: they
/// ask in a line for what takes megabytes.
package struct ReadingLine {
    /// So many of the others come before the next one that is read again.
    package static let othersFirst = 8

    private var (fresh, again): (ArraySlice<Reading>, ArraySlice<Reading>) = ([], [])
    private var others = 0

    package init() {}

    package var isEmpty: Bool { fresh.isEmpty && again.isEmpty }
    package var count: Int { fresh.count + again.count }

    package mutating func add(_ reading: Reading) {
        if case .rows(.events) = reading { again.append(reading) } else { fresh.append(reading) }
    }

    package mutating func next() -> Reading? {
        if !again.isEmpty, fresh.isEmpty || others >= Self.othersFirst {
            others = 0
            return again.popFirst()
        }
        others += 1
        return fresh.popFirst()
    }
}

/// When queues are read back for those who come to fetch what waited for them: some of it in each turn, and while others write only for a
/// part of the time. Every page leads to frames, watermarks and commits on all nodes that have a part in it, several times the work of reading
/// it: that is what others wait for, and what the rest is for.
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

    private var restsUntil: Instant?
    package private(set) var othersWrote: Instant?

    package init() {}

    /// Whoever fetches only acknowledges, here or on another node: watermarks and receipts are no writing.
    package mutating func heard(_ input: NodeInput, at now: Instant) {
        switch input {
        case .sessionFrame(_, .submit), .linkFrame(_, .entry(_, .submission)), .linkFrame(_, .entry(_, .event)): othersWrote = now
        default: break
        }
    }

    /// A turn has read some.
    /// - Parameter rest: of its pages together.
    package mutating func read(until end: Instant, rest: Duration) { restsUntil = end + rest }

    /// When the next page may be read; nil for at once.
    package func rest(at now: Instant) -> Instant? {
        guard let restsUntil, restsUntil > now, let writingEnds = writingEnds(at: now) else { return nil }
        return min(restsUntil, writingEnds)
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
