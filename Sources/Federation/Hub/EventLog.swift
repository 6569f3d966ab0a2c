internal import Vocabulary

/// What a conversation's log remembers of the events that some device still lacks; their bytes are on disk. Numbers without gaps, but for
/// those that a restored hub jumps over.
struct EventLog: Sendable {
    struct Line: Sendable {
        let number: SequenceNumber
        let message: MessageID
        let sender: RosterEntry
        let payload: Digest
        let chain: Digest
        /// Seconds of up-time.
        let expires: UInt64
        /// On disk, with its Welcome: about, and for one that was read back not less than when it came.
        var bytes: Int
        /// Of the Welcome that came with it, stored and released with it.
        var parts: UInt16 = 0
        /// A device of another user has it.
        var isReached = false
    }

    /// What an event takes, about.
    static func bytes(ofPayload payload: [UInt8]) -> Int { payload.count + 200 }

    /// Events, and bytes of them.
    struct Size: Sendable {
        var events = 0
        var bytes = 0

        static func += (size: inout Size, line: Line) { (size.events, size.bytes) = (size.events + 1, size.bytes + line.bytes) }
        static func -= (size: inout Size, line: Line) { (size.events, size.bytes) = (size.events - 1, size.bytes - line.bytes) }
    }

    private(set) var lines: ArraySlice<Line> = []
    private(set) var size = Size()
    private var shares: [UserID: Size] = [:]
    private var numbers: [MessageID: SequenceNumber] = [:]

    var count: Int { lines.count }
    func share(of user: UserID) -> Size { shares[user] ?? Size() }
    var first: Line? { lines.first }
    var last: Line? { lines.last }

    /// The line of a message, for as long as the log holds it.
    func line(for message: MessageID) -> Line? { numbers[message].flatMap { line($0) } }

    func line(_ number: SequenceNumber) -> Line? { index(of: number).map { lines[$0] } }

    /// Those above `from`, at or below `through`.
    func lines(above from: SequenceNumber, through: SequenceNumber) -> ArraySlice<Line> {
        guard let range = range(above: from, through: through) else { return [] }
        return lines[range]
    }

    /// - Returns: false for one that does not follow the last.
    mutating func append(_ line: Line, afterJump: Bool = false) -> Bool {
        if let last = lines.last, afterJump ? last.number >= line.number : last.number.next != line.number { return false }
        lines.append(line)
        size += line
        shares[line.sender.user, default: Size()] += line
        numbers[line.message] = line.number
        return true
    }

    mutating func attach(parts: UInt16, bytes more: Int) {
        guard let user = lines.last?.sender.user else { return }
        lines[lines.endIndex - 1].parts = parts
        lines[lines.endIndex - 1].bytes += more
        size.bytes += more
        shares[user]?.bytes += more
    }

    /// Notes for whom the range is news: everybody else's messages have now reached one of this user's devices.
    mutating func reach(above from: SequenceNumber, through: SequenceNumber, user: UserID) {
        guard let range = range(above: from, through: through) else { return }
        for index in range where lines[index].sender.user != user { lines[index].isReached = true }
    }

    /// Takes lines from the front for as long as a condition holds.
    mutating func drop(while condition: (Line) -> Bool) -> [Line] {
        let gone = Array(lines.prefix(while: condition))
        guard !gone.isEmpty else { return [] }
        lines.removeFirst(gone.count)
        for line in gone {
            numbers[line.message] = nil
            size -= line
            shares[line.sender.user, default: Size()] -= line
            if share(of: line.sender.user).events <= 0 { shares[line.sender.user] = nil }
        }
        // A slice keeps what stood before it.
        if lines.startIndex > 64, lines.startIndex > lines.count { lines = ArraySlice(Array(lines)) }
        return gone
    }

    private func index(of number: SequenceNumber) -> Int? {
        let index = position(of: number)
        return index < lines.endIndex && lines[index].number == number ? index : nil
    }

    /// Of the first line at or above a number; `endIndex` when there is none.
    private func position(of number: SequenceNumber) -> Int {
        guard let first = lines.first, let last = lines.last, number > first.number else { return lines.startIndex }
        guard number <= last.number else { return lines.endIndex }
        let offset = number.value - first.number.value
        if offset < UInt64(lines.count), lines[lines.startIndex + Int(offset)].number == number { return lines.startIndex + Int(offset) }
        var (low, high) = (lines.startIndex, lines.endIndex)
        while low < high {
            let middle = (low + high) / 2
            if lines[middle].number >= number { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func range(above from: SequenceNumber, through: SequenceNumber) -> Range<Int>? {
        guard from < through else { return nil }
        let (start, end) = (position(of: from.next), position(of: through.next))
        return start < end ? start..<end : nil
    }
}
