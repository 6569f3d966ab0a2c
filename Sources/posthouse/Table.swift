import Vocabulary

enum Table {
    /// Left-aligned columns, two spaces apart; what came from outside is made printable.
    static func columns(_ head: [String], _ rows: [[String]]) -> String {
        let lines = [head] + rows.map { $0.map(Printable.line) }
        let widths = head.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            zip(line, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }.joined(separator: "  ")
                .trimmingTrailingSpaces
        }.joined(separator: "\n")
    }
}

extension String {
    fileprivate var trimmingTrailingSpaces: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
