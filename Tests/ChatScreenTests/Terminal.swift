import ChatScreen

/// A terminal that obeys what the writer may write, and records anything else.
struct Terminal {
    private(set) var cells: [[String]]
    private(set) var row = 0
    private(set) var column = 0
    private(set) var surprises: [String] = []
    /// Parameters of all styles that were set.
    private(set) var styles = Set<String>()

    init(columns: Int, rows: Int) { cells = Array(repeating: Array(repeating: " ", count: columns), count: rows) }

    var text: [String] {
        cells.map { row in
            let end = row.lastIndex { $0 != " " && !$0.isEmpty }.map { $0 + 1 } ?? 0
            return row[..<end].joined()
        }
    }

    /// - Parameter frame: says how wide each character is; a real terminal decides that for itself.
    mutating func write(_ bytes: [UInt8], showing frame: Frame) {
        var rest = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)[...]
        while let scalar = rest.first {
            if scalar == "\u{1b}", rest.dropFirst().first == "[" {
                let parameters = rest.dropFirst(2).prefix { !$0.properties.isAlphabetic }
                rest = rest[parameters.endIndex...]
                obey(String(String.UnicodeScalarView(parameters)), rest.popFirst().map { String($0) } ?? "")
            } else {
                draw(&rest, frame)
            }
        }
    }

    private mutating func obey(_ parameters: String, _ final: String) {
        switch (parameters, final) {
        case (_, "H"):
            let numbers = parameters.split(separator: ";").compactMap { Int($0) }
            guard numbers.count == 2, cells.indices.contains(numbers[0] - 1), cells[0].indices.contains(numbers[1] - 1) else {
                surprises.append("move to \(parameters)")
                return
            }
            (row, column) = (numbers[0] - 1, numbers[1] - 1)
        case ("2", "J"): cells = cells.map { $0.map { _ in " " } }
        case ("2", "K"): cells[row] = cells[row].map { _ in " " }
        case ("?25", "l"), ("?25", "h"): break
        case (_, "m"): styles.insert(parameters)
        default: surprises.append(parameters + final)
        }
    }

    /// Text is expected to be the frame's cell at the cursor: what was put into it by whoever wrote the message would not be.
    private mutating func draw(_ rest: inout ArraySlice<Unicode.Scalar>, _ frame: Frame) {
        let cell = column < frame.columns ? frame.lines[row][column] : .blank
        guard column < frame.columns, cell.width > 0, rest.starts(with: cell.text.unicodeScalars) else {
            surprises.append("unexpected text at \(row), \(column): \(rest.popFirst()?.value ?? 0)")
            return
        }
        rest.removeFirst(cell.text.unicodeScalars.count)
        cells[row][column] = cell.text
        for covered in 1..<max(1, cell.width) { cells[row][column + covered] = "" }
        column += cell.width
    }
}
