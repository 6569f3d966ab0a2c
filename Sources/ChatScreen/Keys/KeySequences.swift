/// The table of what terminals send.
extension KeyDecoder {
    enum Step {
        case incomplete
        case keys([KeyEvent], length: Int)
        case pasteBegins(length: Int)
    }

    static func step(_ bytes: ArraySlice<UInt8>) -> Step {
        guard let first = bytes.first else { return .incomplete }
        switch first {
        case 0x1b: return escape(bytes)
        case 0x00..<0x20, 0x7f: return .keys([control(first)], length: 1)
        default: return text(bytes)
        }
    }

    /// All text up to the next key of another kind. A character that is cut off at the end waits for its rest.
    private static func text(_ bytes: ArraySlice<UInt8>) -> Step {
        var run = bytes.prefix { $0 >= 0x20 && $0 != 0x7f }
        if run.endIndex == bytes.endIndex, let lead = run.suffix(3).lastIndex(where: { $0 >= 0xc0 }) {
            let needed = run[lead] >= 0xf0 ? 4 : run[lead] >= 0xe0 ? 3 : 2
            if run.endIndex - lead < needed { run = run[..<lead] }
        }
        guard !run.isEmpty else { return .incomplete }
        return .keys([KeyEvent(.text(String(decoding: run, as: UTF8.self)))], length: run.count)
    }

    private static func control(_ byte: UInt8) -> KeyEvent {
        switch byte {
        // A line feed is Enter too: what is typed by a program has no carriage returns.
        case 0x0a, 0x0d: KeyEvent(.enter)
        case 0x09: KeyEvent(.tab)
        case 0x08, 0x7f: KeyEvent(.backspace)
        case 0x01...0x1a: KeyEvent(.control(Character(Unicode.Scalar(byte + 0x60))))
        default: KeyEvent(.other)
        }
    }

    private static func escape(_ bytes: ArraySlice<UInt8>) -> Step {
        let rest = bytes.dropFirst()
        guard let second = rest.first else { return .incomplete }
        switch second {
        case 0x5b: return sequence(bytes)
        case 0x4f:
            guard let final = rest.dropFirst().first else { return .incomplete }
            return .keys([key(final: final, parameters: [])], length: 3)
        case 0x1b:
            // Alt with a key that itself begins with Escape; or Escape pressed before another key.
            guard let third = rest.dropFirst().first else { return .incomplete }
            guard third == 0x5b || third == 0x4f else { return .keys([KeyEvent(.escape)], length: 1) }
            switch escape(rest) {
            case .incomplete: return .incomplete
            case .pasteBegins: return .keys([KeyEvent(.escape)], length: 1)
            case .keys(let keys, let length):
                return .keys(
                    keys.map { KeyEvent($0.key, hasShift: $0.hasShift, hasAlt: true, hasControl: $0.hasControl) }, length: length + 1)
            }
        case 0x50, 0x58, 0x5d, 0x5e, 0x5f: return string(bytes)
        case 0x00..<0x20, 0x7f:
            let key = control(second)
            return .keys([KeyEvent(key.key, hasAlt: true)], length: 2)
        case 0x20..<0x7f: return .keys([KeyEvent(.text(String(Character(Unicode.Scalar(second)))), hasAlt: true)], length: 2)
        default: return .keys([KeyEvent(.escape)], length: 1)
        }
    }

    /// An answer of the terminal that nobody asked for (OSC, DCS and the like): passed over up to its end mark.
    private static func string(_ bytes: ArraySlice<UInt8>) -> Step {
        var before: UInt8 = 0
        for (offset, byte) in bytes.dropFirst(2).enumerated() {
            if byte == 0x07 || (before == 0x1b && byte == 0x5c) { return .keys([], length: offset + 3) }
            before = byte
        }
        return .incomplete
    }

    private static func sequence(_ bytes: ArraySlice<UInt8>) -> Step {
        let body = bytes.dropFirst(2)
        guard let end = body.firstIndex(where: { !(0x20...0x3f).contains($0) }) else { return .incomplete }
        let length = end - bytes.startIndex + 1
        // The Linux console's F1 to F5: one byte more.
        if body.first == 0x5b { return end + 1 < bytes.endIndex ? .keys([KeyEvent(.other)], length: length + 1) : .incomplete }
        // Another key broke it off.
        guard (0x40...0x7e).contains(bytes[end]) else { return .keys([], length: length - 1) }
        let parameters = body[..<end].split(separator: 0x3b, omittingEmptySubsequences: false).map { digits in
            Int(String(decoding: digits, as: UTF8.self)) ?? 0
        }
        if bytes[end] == 0x7e, parameters.first == 200 { return .pasteBegins(length: length) }
        return .keys([key(final: bytes[end], parameters: parameters)], length: length)
    }

    private static func key(final: UInt8, parameters: [Int]) -> KeyEvent {
        let first = parameters.first ?? 0
        let key: Key =
            switch (final, first) {
            case (0x41, _): .up
            case (0x42, _): .down
            case (0x43, _): .right
            case (0x44, _): .left
            case (0x48, _), (0x7e, 1), (0x7e, 7): .home
            case (0x46, _), (0x7e, 4), (0x7e, 8): .end
            case (0x7e, 3): .delete
            case (0x7e, 5): .pageUp
            case (0x7e, 6): .pageDown
            case (0x4d, _): .enter
            case (0x5a, _): .tab
            default: .other
            }
        // The second parameter is one more than the sum of Shift 1, Alt 2, Control 4.
        let held = parameters.count > 1 && parameters[1] > 0 ? parameters[1] - 1 : 0
        return KeyEvent(
            key, hasShift: held & 1 != 0 || final == 0x5a, hasAlt: held & 2 != 0, hasControl: held & 4 != 0)
    }
}
