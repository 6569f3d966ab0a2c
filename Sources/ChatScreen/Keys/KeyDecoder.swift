/// Turns a terminal's bytes into keys, however they are split over reads.
/// Source: ECMA-48 §5.4 (control sequences), xterm's "PC-Style Function Keys" and "Bracketed Paste Mode".
public struct KeyDecoder: Sendable {
    /// What the rest of is awaited; when nothing comes for a while, `giveUp` says what it was.
    public enum Awaited: Sendable { case nothing, sequence, paste }

    private var pending: [UInt8] = []
    /// The bytes of a paste that has not ended yet.
    private var paste: [UInt8]?

    public init() {}

    public var awaited: Awaited { paste != nil ? .paste : pending.first == 0x1b ? .sequence : .nothing }

    public mutating func decode(_ bytes: some Sequence<UInt8>) -> [KeyEvent] {
        pending += bytes
        var (events, at) = ([KeyEvent](), 0)
        while at < pending.count {
            if paste != nil {
                at = collectPaste(from: at, into: &events)
                if paste != nil { break }
                continue
            }
            let rest = pending[at...]
            switch Self.step(rest) {
            case .incomplete:
                pending.removeFirst(at)
                // No key is that long: whatever it is, it ends here.
                if pending.count > ScreenLimits.sequenceBytesMax { pending = [] }
                return events
            case .keys(let found, let length):
                events += found
                at += max(length, 1)
            case .pasteBegins(let length):
                paste = []
                at += length
            }
        }
        pending.removeFirst(at)
        return events
    }

    /// No more came: Escape was pressed alone, or a sequence or paste was cut off.
    public mutating func giveUp() -> [KeyEvent] {
        defer { (pending, paste) = ([], nil) }
        if let paste { return [KeyEvent(.paste(String(decoding: (paste + pending).prefix(ScreenLimits.pasteBytesMax), as: UTF8.self)))] }
        guard let first = pending.first else { return [] }
        if first != 0x1b { return [KeyEvent(.text(String(decoding: pending, as: UTF8.self)))] }
        return pending.allSatisfy { $0 == 0x1b } ? pending.map { _ in KeyEvent(.escape) } : []
    }

    // MARK: Pastes

    private static let pasteEnd: [UInt8] = [0x1b, 0x5b, 0x32, 0x30, 0x31, 0x7e]

    /// - Returns: how far `pending` is used up. What could be the beginning of the end mark is left.
    private mutating func collectPaste(from start: Int, into events: inout [KeyEvent]) -> Int {
        var at = start
        while at < pending.count {
            let tail = pending[at...].prefix(Self.pasteEnd.count)
            if pending[at] == 0x1b, Self.pasteEnd.starts(with: tail) {
                guard tail.count == Self.pasteEnd.count else { return at }
                events.append(KeyEvent(.paste(String(decoding: paste ?? [], as: UTF8.self))))
                paste = nil
                return at + tail.count
            }
            // One byte more than is looked at tells that it was too long.
            if let count = paste?.count, count <= ScreenLimits.pasteBytesMax { paste?.append(pending[at]) }
            at += 1
        }
        return at
    }
}
