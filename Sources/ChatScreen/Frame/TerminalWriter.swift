/// Turns frames into what a terminal obeys, writing only what changed since the last one.
///
/// The terminal does not wrap (`enter` says so): whatever it thinks of a character's width, a row cannot spill into the next.
public struct TerminalWriter: Sendable {
    public enum Looks: Sendable {
        case colours
        /// Bold, dim and reverse alone: NO_COLOR.
        case monochrome
        /// None: TERM=dumb and unknown terminals.
        case plain
    }

    private let looks: Looks
    private var shown: Frame?

    public init(looks: Looks) { self.looks = looks }

    /// Alternate screen, no wrapping, pastes marked as such, no cursor until the first frame.
    public static let enter = "\u{1b}[?1049h\u{1b}[?7l\u{1b}[?2004h\u{1b}[?25l\u{1b}[0m\u{1b}[2J"
    /// All of that undone, in whatever state the terminal is.
    public static let leave = "\u{1b}[0m\u{f}\u{1b}(B\u{1b}[?2004l\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l"

    /// The next frame is written whole: after a resize, or when others may have written.
    public mutating func forget() { shown = nil }

    /// - Returns: nothing if the terminal shows the frame already.
    public mutating func update(to frame: Frame) -> [UInt8] {
        guard shown != frame else { return [] }
        var out = Output(looks: looks)
        out.raw("\u{1b}[?25l")
        var old = shown?.lines ?? []
        if shown?.columns != frame.columns || shown?.rows != frame.rows {
            out.raw("\u{1b}[0m\u{1b}[2J")
            old = Frame(columns: frame.columns, rows: frame.rows).lines
        }
        for (row, (before, after)) in zip(old, frame.lines).enumerated() where before != after {
            if before.contains(where: \.isUncertain) || after.contains(where: \.isUncertain) {
                // Where the terminal has put parts of such a character nobody knows: the whole row goes.
                out.move(row: row, column: 0)
                out.style(.plain)
                out.raw("\u{1b}[2K")
                out.cells(after[...], row: row)
            } else if let first = zip(before, after).firstIndex(where: { $0 != $1 }),
                let last = zip(before, after).lastIndex(where: { $0 != $1 })
            {
                out.cells(Self.whole(first...last, before, after), row: row)
            }
        }
        out.style(.plain)
        if let cursor = frame.cursor {
            out.move(row: cursor.row, column: cursor.column)
            out.raw("\u{1b}[?25h")
        }
        shown = frame
        return out.bytes
    }

    /// What is to be written so that no half of a wide character, old or new, is left.
    private static func whole(_ range: ClosedRange<Int>, _ before: [Cell], _ after: [Cell]) -> ArraySlice<Cell> {
        var (first, end) = (range.lowerBound, range.upperBound + 1)
        while first > 0, before[first].width == 0 || after[first].width == 0 { first -= 1 }
        while end < after.count, before[end].width == 0 || after[end].width == 0 { end += 1 }
        return after[first..<end]
    }
}

extension Zip2Sequence where Sequence1 == [Cell], Sequence2 == [Cell] {
    fileprivate func firstIndex(where test: (Element) -> Bool) -> Int? { enumerated().first { test($0.element) }?.offset }
    fileprivate func lastIndex(where test: (Element) -> Bool) -> Int? {
        enumerated().reduce(nil) { test($1.element) ? $1.offset : $0 }
    }
}

private struct Output {
    let looks: TerminalWriter.Looks
    var bytes: [UInt8] = []
    private var current: Style?

    init(looks: TerminalWriter.Looks) { self.looks = looks }

    mutating func raw(_ text: String) { bytes += text.utf8 }

    mutating func move(row: Int, column: Int) { raw("\u{1b}[\(row + 1);\(column + 1)H") }

    mutating func cells(_ cells: ArraySlice<Cell>, row: Int) {
        move(row: row, column: cells.startIndex)
        var isLost = false
        for (column, cell) in zip(cells.indices, cells) where cell.width > 0 {
            if isLost { move(row: row, column: column) }
            style(cell.style)
            raw(cell.text)
            isLost = cell.isUncertain
        }
    }

    mutating func style(_ style: Style) {
        guard looks != .plain, style != current else { return }
        current = style
        var codes = ["0"]
        if style.isBold { codes.append("1") }
        if style.isDim { codes.append("2") }
        if style.isReverse { codes.append("7") }
        if looks == .colours, style.colour != .standard { codes.append(String(30 + style.colour.rawValue)) }
        raw("\u{1b}[\(codes.joined(separator: ";"))m")
    }
}
