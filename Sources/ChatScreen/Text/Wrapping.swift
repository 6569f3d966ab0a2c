/// Breaks cells into rows: between words where that is possible, within a word that is longer than a row.
enum Wrapping {
    /// - Parameters:
    ///   - first: columns of the first row; 0 leaves it empty.
    ///   - rest: columns of the others, at least 1.
    /// - Returns: at least one row, each at most as wide as said.
    static func rows(_ cells: [Cell], first: Int, rest: Int) -> [[Cell]] {
        var rows: [[Cell]] = []
        var (start, next) = (0, 0)
        var room = first
        while true {
            var (used, lastBreak) = (0, Int?.none)
            while next < cells.count, used + cells[next].width <= room {
                if cells[next].text == " " { lastBreak = next }
                used += cells[next].width
                next += 1
            }
            if next == cells.count {
                rows.append(Array(cells[start..<next]))
                return rows
            }
            if cells[next].text == " " {
                // The blank at which the row ends is not drawn.
                rows.append(Array(cells[start..<next]))
                next += 1
            } else if let lastBreak {
                rows.append(Array(cells[start..<lastBreak]))
                next = lastBreak + 1
            } else {
                // Nothing fits into a row after the first: a wide character in one column. It is left away.
                if next == start, room == max(rest, 1) { next += 1 }
                rows.append(Array(cells[start..<next].prefix { $0.width <= room }))
            }
            start = next
            room = max(rest, 1)
        }
    }

    /// Breaks wherever a row is full: for text that is being typed, where the cursor's place is a number of columns.
    static func full(_ cells: [Cell], columns: Int) -> [[Cell]] {
        var rows: [[Cell]] = [[]]
        var used = 0
        for cell in cells where cell.width <= max(columns, 1) {
            if used + cell.width > max(columns, 1) {
                rows.append([])
                used = 0
            }
            rows[rows.count - 1].append(cell)
            used += cell.width
        }
        return rows
    }
}
