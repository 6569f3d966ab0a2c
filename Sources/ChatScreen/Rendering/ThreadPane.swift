/// A thread as rows of a certain width: which rows a line takes, and which are to be seen.
///
/// A line: time, tick or sign (three columns), who, text; further rows of the text begin under its first. Nothing of a text comes
/// further left, so that no text looks like a line of somebody else's.
struct ThreadPane {
    let timeline: Timeline
    let columns: Int
    let shaper: TextShaper
    let marks: Marks
    private let labelColumns: Int
    private var isAligned: Bool { columns >= ScreenLimits.columnsForAlignedText }

    init(_ timeline: Timeline, columns: Int, shaper: TextShaper, marks: Marks) {
        (self.timeline, self.columns, self.shaper, self.marks) = (timeline, max(1, columns), shaper, marks)
        var widest = Self.you.count
        // The newest lines decide: looking through all of them at each key would be felt.
        for line in timeline.lines.suffix(100) {
            switch line.kind {
            case .received(let from, _), .unreadable(let from, _): widest = max(widest, shaper.cells(from).columns)
            case .sent, .membership, .hole, .alarm: break
            }
        }
        labelColumns = min(widest, ScreenLimits.labelColumnsMax, max(Self.you.count, self.columns / 4))
    }

    private static let you = "you"

    // MARK: Rows of one line

    /// All rows of the line at `index`: what separates it from the line before, then itself.
    func rows(_ index: Int) -> [[Cell]] {
        let (line, before) = (timeline.lines[index], index > 0 ? timeline.lines[index - 1] : nil)
        var rows: [[Cell]] = []
        if before == nil, timeline.hasOlder { rows.append(separator(timeline.isFull ? "older: courier history" : "older: PageUp")) }
        if line.day != before?.day, !line.day.isEmpty { rows.append(separator(line.day)) }
        if line.id == timeline.firstNew { rows.append(separator("new")) }
        return rows + content(line)
    }

    private func separator(_ text: String) -> [Cell] {
        let title = [.blank] + shaper.cells(text, .dim) + [.blank]
        let rule = Array(repeating: marks.rule, count: 2)
        let rest = max(0, columns - 2 - title.columns)
        return (rule + title + Array(repeating: marks.rule, count: rest)).fitted(columns, ellipsis: marks.ellipsis)
    }

    private func content(_ line: ThreadLine) -> [[Cell]] {
        switch line.kind {
        case .received(let from, let text):
            return block(line.time, [], shaper.cells(from, Style(.cyan)), texts(text))
        case .sent(let text, let state):
            var rows = block(line.time, marks.tick(state), shaper.cells(Self.you, .bold), texts(text))
            if case .failed(let reason) = state { rows += note("failed: \(reason)") }
            return rows
        case .unreadable(let from, let reason):
            return block(
                line.time, marks.unreadable, shaper.cells(from, Style(.cyan)), [shaper.cells("could not be decrypted: \(reason)", .dim)])
        case .membership(let text): return block(line.time, marks.membership, nil, [shaper.cells(text, .dim)])
        case .hole(let count):
            return block(line.time, marks.hole, nil, [shaper.cells("waiting for \(count) message\(count == 1 ? "" : "s")", .dim)])
        case .alarm(let text): return block(line.time, marks.alarm, nil, [shaper.cells("alarm: \(text)", .alarm)])
        }
    }

    private func texts(_ text: String) -> [[Cell]] { shaper.lines(text, max: ScreenLimits.rowsPerMessageMax) }

    /// - Parameter label: who; nil for what nobody wrote.
    private func block(_ time: String, _ sign: [Cell], _ label: [Cell]?, _ texts: [[Cell]]) -> [[Cell]] {
        var head = shaper.cells(time, .dim).fitted(5, ellipsis: marks.ellipsis).padded(5) + [.blank] + sign.padded(3) + [.blank]
        if let label {
            let fitted = label.fitted(labelColumns, ellipsis: marks.ellipsis)
            head += isAligned ? fitted.padded(labelColumns) + [.blank] : fitted + shaper.cells(": ")
        }
        let indent = isAligned ? head.columns : min(2, columns - 1)
        // Too narrow for anything beside the head: the text begins below it.
        let first = columns - head.columns >= 8 ? columns - head.columns : 0
        var rows: [[Cell]] = []
        for text in texts {
            let isFirst = rows.isEmpty
            let wrapped = Wrapping.rows(text, first: isFirst ? first : columns - indent, rest: columns - indent)
            for (offset, row) in wrapped.enumerated() {
                rows.append(isFirst && offset == 0 ? head + row : [Cell]().padded(indent) + row)
            }
            if rows.count > ScreenLimits.rowsPerMessageMax { break }
        }
        if rows.count >= ScreenLimits.rowsPerMessageMax {
            rows = Array(rows.prefix(ScreenLimits.rowsPerMessageMax)) + note("it is longer: courier history shows all of it")
        }
        return rows.map { $0.fitted(columns, ellipsis: marks.ellipsis) }
    }

    /// What the program says about a message, under it.
    private func note(_ text: String) -> [[Cell]] {
        let indent = isAligned ? 11 + labelColumns : min(2, columns - 1)
        let room = max(1, columns - indent)
        return Wrapping.rows(marks.tick(.failed("")) + [.blank] + shaper.cells(text, .alarm), first: room, rest: room).map {
            [Cell]().padded(indent) + $0
        }
    }

    // MARK: What is seen

    /// The rows between the edges of a screen of `height`, the lowest as `view` says.
    func visible(_ height: Int) -> [[Cell]] {
        guard let (bottom, below) = place(timeline.view) else { return [] }
        var shown = Array(rows(bottom).dropLast(below).suffix(height))
        var index = bottom
        while shown.count < height, index > 0 {
            index -= 1
            shown = rows(index).suffix(height - shown.count) + shown
        }
        // At the very beginning: what is below fills the screen.
        if shown.count < height {
            let rest = rows(bottom).suffix(below) + timeline.lines.indices.dropFirst(bottom + 1).lazy.flatMap { rows($0) }
            shown += rest.prefix(height - shown.count)
        }
        return shown
    }

    /// Where the view ends: the line, and how many of its rows are below.
    private func place(_ view: Timeline.View) -> (index: Int, below: Int)? {
        guard let last = timeline.lines.indices.last else { return nil }
        guard case .line(let id, let below) = view, let index = timeline.index(of: id) else { return (last, 0) }
        return (index, min(below, rows(index).count - 1))
    }

    /// Lines that are below the screen.
    var linesBelow: Int { place(timeline.view).map { timeline.lines.count - 1 - $0.index } ?? 0 }

    // MARK: Scrolling

    /// - Returns: the view `count` rows further up, and whether it begins with the first line there is.
    func scrolledUp(_ count: Int, height: Int) -> (view: Timeline.View, isAtTop: Bool) {
        guard var (index, below) = place(timeline.view) else { return (.end, true) }
        var left = count
        while left > 0 {
            let step = min(left, rows(index).count - 1 - below)
            below += step
            left -= step
            guard left > 0, index > 0 else { break }
            (index, below) = (index - 1, 0)
            left -= 1
        }
        // Not beyond the top: `height` rows from there on stay in sight.
        var above = rows(index).count - below
        var first = index
        while above < height, first > 0 {
            first -= 1
            above += rows(first).count
        }
        let view = named(index, below)
        guard above < height else { return (view, first == 0 && above == height) }
        return (down(index, below, height - above), true)
    }

    func scrolledDown(_ count: Int) -> Timeline.View {
        guard let (index, below) = place(timeline.view) else { return .end }
        return down(index, below, count)
    }

    private func down(_ index: Int, _ below: Int, _ count: Int) -> Timeline.View {
        var (index, below, left) = (index, below, count)
        while left > 0 {
            let step = min(left, below)
            below -= step
            left -= step
            guard left > 0 else { break }
            guard index + 1 < timeline.lines.count else { return .end }
            index += 1
            below = rows(index).count - 1
            left -= 1
        }
        return named(index, below)
    }

    private func named(_ index: Int, _ below: Int) -> Timeline.View {
        index == timeline.lines.count - 1 && below == 0 ? .end : .line(timeline.lines[index].id, below: below)
    }
}
