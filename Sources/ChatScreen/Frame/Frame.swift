/// How a cell looks. What it says must be clear without it: some terminals have none of this.
public struct Style: Hashable, Sendable {
    public enum Colour: UInt8, Hashable, Sendable { case standard, red, green, yellow, blue, magenta, cyan }

    public var colour = Colour.standard
    public var isBold = false
    public var isDim = false
    public var isReverse = false

    public init(_ colour: Colour = .standard, isBold: Bool = false, isDim: Bool = false, isReverse: Bool = false) {
        (self.colour, self.isBold, self.isDim, self.isReverse) = (colour, isBold, isDim, isReverse)
    }

    public static let plain = Style()
    public static let bold = Style(isBold: true)
    public static let dim = Style(isDim: true)
    public static let bar = Style(isReverse: true)
    public static let alarm = Style(.red, isBold: true)
}

/// One character as the reader sees it, marks and joined parts included. Its text holds nothing that a terminal obeys.
public struct Cell: Hashable, Sendable {
    public var text: String
    /// Columns; 0 in a frame: covered by the wide cell at its left.
    public var width: Int
    public var style: Style
    /// Terminals differ about its width: the cursor is placed anew after it.
    public var isUncertain: Bool

    init(_ text: String, width: Int, style: Style = .plain, isUncertain: Bool = false) {
        (self.text, self.width, self.style, self.isUncertain) = (text, width, style, isUncertain)
    }

    public static let blank = Cell(" ", width: 1)
    static func blank(_ style: Style) -> Cell { Cell(" ", width: 1, style: style) }
}

/// What the terminal is to show: a grid of cells, and where the cursor is.
public struct Frame: Equatable, Sendable {
    public struct Place: Hashable, Sendable {
        public var row, column: Int
        public init(row: Int, column: Int) { (self.row, self.column) = (row, column) }
    }

    public let columns, rows: Int
    public private(set) var lines: [[Cell]]
    public var cursor: Place?

    public init(columns: Int, rows: Int) {
        self.columns = max(0, min(columns, ScreenLimits.columnsMax))
        self.rows = max(0, min(rows, ScreenLimits.rowsMax))
        lines = Array(repeating: Array(repeating: .blank, count: self.columns), count: self.rows)
    }

    /// Draws as much of `cells` as fits between `column` and `end`; a wide one that would stick out is left away.
    mutating func put(_ cells: some Sequence<Cell>, row: Int, column: Int, end: Int) {
        guard lines.indices.contains(row), column >= 0 else { return }
        var column = column
        let end = min(end, columns)
        for cell in cells {
            guard cell.width > 0, column + cell.width <= end else { return }
            lines[row][column] = cell
            for covered in 1..<max(cell.width, 1) { lines[row][column + covered] = Cell("", width: 0, style: cell.style) }
            column += cell.width
        }
    }

    mutating func fill(row: Int, from column: Int, to end: Int, with cell: Cell) {
        guard lines.indices.contains(row), column >= 0, column < min(end, columns) else { return }
        for column in column..<min(end, columns) { lines[row][column] = cell }
    }

    /// The text of a row as a reader sees it, without the blanks at its end.
    public func text(_ row: Int) -> String {
        guard lines.indices.contains(row) else { return "" }
        let cells = lines[row]
        let end = cells.lastIndex { $0.width > 0 && $0.text != " " }.map { $0 + 1 } ?? 0
        return cells[..<end].map(\.text).joined()
    }

    public var text: [String] { (0..<rows).map(text) }
}

extension Array where Element == Cell {
    var columns: Int { reduce(0) { $0 + $1.width } }

    /// At most `columns` wide; what was cut off is told by `ellipsis`.
    func fitted(_ columns: Int, ellipsis: Cell) -> [Cell] {
        guard self.columns > columns else { return self }
        guard columns >= ellipsis.width else { return [] }
        var (kept, used) = ([Cell](), 0)
        for cell in self {
            guard used + cell.width + ellipsis.width <= columns else { break }
            kept.append(cell)
            used += cell.width
        }
        return kept + [Cell(ellipsis.text, width: ellipsis.width, style: last?.style ?? .plain)]
    }

    /// Blanks at the end, up to `columns`.
    func padded(_ columns: Int, _ style: Style = .plain) -> [Cell] {
        self + Array(repeating: .blank(style), count: Swift.max(0, columns - self.columns))
    }
}
