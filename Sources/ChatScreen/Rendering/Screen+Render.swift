/// What the terminal shows.
extension Screen {
    public func render() -> Frame {
        var frame = Frame(columns: columns, rows: rows)
        let layout = layout
        if layout.hasTitle {
            frame.fill(row: 0, from: 0, to: columns, with: .blank(.bar))
            if layout.side > 0 {
                frame.put(fitted(shaper.cells(me.isEmpty ? "courier" : me, .bar), layout.side - 1), row: 0, column: 1, end: layout.side)
            }
            frame.put(fitted(title(layout), columns - layout.main), row: 0, column: layout.main, end: columns)
        }
        if let panel {
            for (row, cells) in zip(layout.body, panelRows(panel, layout)) { frame.put(cells, row: row, column: 0, end: columns) }
        } else {
            drawConversations(on: &frame, layout)
        }
        for (row, cells) in zip(layout.notice, noticeRows ?? [standing(layout)]) { frame.put(cells, row: row, column: 0, end: columns) }
        drawInput(on: &frame, layout)
        return frame
    }

    private func drawConversations(on frame: inout Frame, _ layout: Layout) {
        if layout.side > 0 {
            for (row, cells) in zip(layout.body, side(layout)) { frame.put(cells, row: row, column: 0, end: layout.side) }
            for row in layout.body { frame.put([marks.bar], row: row, column: layout.side, end: layout.main) }
        }
        for (row, cells) in zip(layout.body, threadRows(layout)) { frame.put(cells, row: row, column: layout.main, end: columns) }
    }

    private func fitted(_ cells: [Cell], _ columns: Int) -> [Cell] { cells.fitted(max(0, columns), ellipsis: marks.ellipsis) }

    var layout: Layout {
        Layout(columns: columns, rows: rows, inputRows: inputRows.rows.count, noticeRows: noticeRows?.count ?? 1)
    }

    var pageRows: Int { max(1, layout.body.count - 1) }

    // MARK: Title

    private func title(_ layout: Layout) -> [Cell] {
        guard let row else { return shaper.cells(" no conversation", .bar) }
        var text = [String]()
        if row.isRequest { text.append("request") }
        if row.isGroup, !row.members.isEmpty { text.append("\(row.members.count + 1) members") }
        if row.isVerified { text.append("verified") }
        if row.hasAlarm { text.append("ALARM") }
        if !row.typing.isEmpty {
            text.append(row.isGroup ? "\(row.typing.prefix(3).joined(separator: ", ")) typing" : "typing")
        } else {
            switch row.presence {
            case .online: text.append("online")
            case .lastSeen(let when): text.append("last seen \(when)")
            case .unknown: break
            }
        }
        let others = conversations.filter { $0.id != row.id && $0.unread > 0 }.count
        if layout.side == 0, others > 0 { text.append("\(others) other\(others == 1 ? "" : "s") unread") }
        let tail = text.isEmpty ? [] : shaper.cells("  " + text.joined(separator: ", "), .bar)
        // The tail says what changes: the title gives way.
        let name = shaper.cells(" " + row.title, Style(isBold: true, isReverse: true))
        return fitted(name, max(10, columns - layout.main - tail.columns)) + tail
    }

    // MARK: Conversations

    private func side(_ layout: Layout) -> [[Cell]] {
        let height = layout.body.count
        let at = conversations.firstIndex { $0.id == current } ?? 0
        let first = max(0, min(at - height / 2, conversations.count - height))
        return conversations.dropFirst(first).prefix(height).map { side($0, layout.side) }
    }

    /// `▸● bob@tower  ! (3)`: selected, online, title, alarm, unread.
    private func side(_ row: ConversationRow, _ columns: Int) -> [Cell] {
        let isCurrent = row.id == current
        let sign = row.isRequest ? shaper.cells("?", .bold) : marks.presence(row.presence)
        var tail: [Cell] = []
        if row.hasAlarm { tail += shaper.cells(" !", .alarm) }
        if !row.typing.isEmpty { tail += shaper.cells(" ..", .dim) }
        if row.unread > 0 { tail += shaper.cells(" (\(row.unread > 999 ? "999+" : String(row.unread)))", .bold) }
        let style = isCurrent || row.unread > 0 ? Style.bold : .plain
        let room = max(0, columns - 3 - tail.columns)
        return (isCurrent ? marks.selected : [.blank]) + sign + [.blank] + fitted(shaper.cells(row.title, style), room).padded(room) + tail
    }

    // MARK: Thread

    private func threadRows(_ layout: Layout) -> [[Cell]] {
        let (width, height) = (columns - layout.main, layout.body.count)
        guard let row else {
            return !isListed ? [] : wrapped("There are no conversations yet. /open ADDRESS begins one, /help shows all commands.", width)
        }
        let banner = row.isRequest ? wrapped("\(row.title) wants to write to you: /accept, /decline or /block.", width, .bold) : []
        let room = max(0, height - banner.count)
        let rows = pane(width).visible(room)
        return Array(repeating: [], count: room - rows.count) + rows + banner.prefix(height)
    }

    private func pane(_ width: Int) -> ThreadPane {
        ThreadPane(timeline ?? Timeline(), columns: width, shaper: shaper, marks: marks)
    }

    private func wrapped(_ text: String, _ width: Int, _ style: Style = .plain) -> [[Cell]] {
        Wrapping.rows(shaper.cells(text, style), first: max(1, width - 1), rest: max(1, width - 1)).map { [.blank] + $0 }
    }

    // MARK: Panel

    private func panelRows(_ panel: Panel, _ layout: Layout) -> [[Cell]] {
        let rows = allRows(of: panel)
        let first = max(0, min(panel.scrolled, rows.count - layout.body.count))
        return Array(rows.dropFirst(first).prefix(layout.body.count))
    }

    private func allRows(of panel: Panel) -> [[Cell]] {
        wrapped(panel.title, columns, .bold) + panel.lines.flatMap { wrapped($0, columns) }
    }

    // MARK: Scrolling

    mutating func scroll(up: Bool, rows count: Int) -> [ScreenAction] {
        let layout = layout
        let (width, height) = (columns - layout.main, layout.body.count)
        if var panel {
            let most = max(0, allRows(of: panel).count - height)
            let now = min(panel.scrolled, most)
            panel.scrolled = up ? now - min(now, count) : now + min(most - now, count)
            self.panel = panel
            return []
        }
        guard let current, let timeline else { return [] }
        guard up else {
            let view = count == .max ? .end : pane(width).scrolledDown(count)
            timelines[current]?.view = view
            return markRead()
        }
        let (view, isAtTop) = pane(width).scrolledUp(count, height: height)
        timelines[current]?.view = view
        guard isAtTop, timeline.hasOlder, !timeline.isLoading, !timeline.isFull, let first = timeline.lines.first else { return [] }
        timelines[current]?.isLoading = true
        return [.ask(.loadOlder(current, before: first.id))]
    }

    // MARK: Notice

    private var noticeRows: [[Cell]]? {
        guard let notice else { return nil }
        let text = shaper.cells(notice.isProblem ? "! \(notice.text)" : notice.text, notice.isProblem ? .alarm : .bold)
        let rows = Wrapping.rows(text, first: columns, rest: columns)
        guard rows.count > ScreenLimits.noticeRowsMax else { return rows }
        return rows.prefix(ScreenLimits.noticeRowsMax - 1)
            + [fitted(rows[ScreenLimits.noticeRowsMax - 1].padded(columns + 1), columns)]
    }

    /// How things stand, when there is nothing to say.
    private func standing(_ layout: Layout) -> [Cell] {
        var left = shaper.cells(offline.map { "offline: \($0)" } ?? (layout.side == 0 ? me : ""), offline == nil ? .dim : .alarm)
        if let timeline, timeline.view != .end, panel == nil {
            left = shaper.cells("\(pane(columns - layout.main).linesBelow) more below: PageDown, Escape", .bold)
        }
        let right = shaper.cells(panel == nil ? "Tab: next  PageUp: back  /help" : "PageDown: more  Escape: close", .dim)
        guard left.columns + 2 + right.columns <= columns else { return fitted(left.isEmpty ? right : left, columns) }
        return left.padded(columns - right.columns) + right
    }

    // MARK: Input

    /// What is typed, broken into rows, and the cursor's place in them.
    private var inputRows: (rows: [[Cell]], cursor: Frame.Place) {
        let width = max(1, columns - 2)
        let before = Wrapping.full(inputCells(editor.before), columns: width)
        var cursor = Frame.Place(row: before.count - 1, column: before[before.count - 1].columns)
        var rows = Wrapping.full(inputCells(editor.before) + inputCells(editor.after), columns: width)
        // After a full row the cursor stands at the beginning of the next.
        if cursor.column >= width { cursor = Frame.Place(row: cursor.row + 1, column: 0) }
        while rows.count <= cursor.row { rows.append([]) }
        return (rows, cursor)
    }

    private func inputCells(_ text: String) -> [Cell] {
        Array(shaper.lines(text).joined(separator: [marks.lineBreak]))
    }

    private func drawInput(on frame: inout Frame, _ layout: Layout) {
        let (rows, cursor) = inputRows
        let first = max(0, min(cursor.row - layout.input.count + 1, rows.count - layout.input.count))
        for (place, row) in zip(layout.input, rows.dropFirst(first)) {
            frame.put([Cell(">", width: 1, style: .bold)], row: place, column: 0, end: columns)
            frame.put(row, row: place, column: 2, end: columns)
        }
        let row = layout.input.lowerBound + cursor.row - first
        if row < self.rows { frame.cursor = Frame.Place(row: row, column: min(cursor.column + 2, columns - 1)) }
    }
}
