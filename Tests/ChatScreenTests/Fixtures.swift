import ChatScreen

extension Screen {
    /// A screen with two contacts and a group, the first contact's thread open.
    static func fixture(columns: Int = 80, rows: Int = 24, isUTF8: Bool = true) -> Screen {
        var screen = Screen(columns: columns, rows: rows, isUTF8: isUTF8)
        screen.tell(.me("alice@harbor"))
        screen.tell(
            .conversations([
                ConversationRow(id: "bob", title: "bob@tower", members: ["bob@tower"], presence: .online),
                ConversationRow(id: "carol", title: "carol@inn", members: ["carol@inn"], unread: 3, presence: .lastSeen("09:41")),
                ConversationRow(id: "club", title: "Book club", isGroup: true, members: ["bob@tower", "dora@inn"]),
            ]))
        screen.tell(.thread(conversation: "bob", [.from("bob@tower", "hello", 1)], hasOlder: false, readThrough: 1))
        return screen
    }

    @discardableResult
    mutating func tell(_ update: ChatUpdate) -> [ScreenAction] { handle(.update(update)) }

    @discardableResult
    mutating func press(_ keys: Key..., alt: Bool = false, shift: Bool = false) -> [ScreenAction] {
        keys.flatMap { handle(.key(KeyEvent($0, hasShift: shift, hasAlt: alt))) }
    }

    /// Types a line and presses Enter.
    @discardableResult
    mutating func enter(_ line: String) -> [ChatRequest] { press(.text(line), .enter).requests }

    var shown: [String] { render().text }

    func row(with text: String) -> String? { shown.first { $0.contains(text) } }
}

extension [ScreenAction] {
    var requests: [ChatRequest] {
        compactMap { if case .ask(let request) = $0 { request } else { nil } }
    }
}

extension ThreadLine {
    static func from(_ who: String, _ text: String, _ number: UInt64, day: String = "2026-11-24") -> ThreadLine {
        ThreadLine(id: "line\(number)", number: number, day: day, time: "09:41", kind: .received(from: who, text))
    }

    static func mine(_ text: String, _ state: SendState, id: String = "mine", number: UInt64? = nil) -> ThreadLine {
        ThreadLine(id: id, number: number, day: "2026-11-24", time: "09:42", kind: .sent(text, state))
    }
}

/// A terminal that obeys what the writer may write and records anything else.
struct Terminal {
    private(set) var cells: [[String]]
    private(set) var row = 0, column = 0
    private(set) var surprises: [String] = []
    private(set) var styles = Set<String>()
    private(set) var isCursorShown = false
    private(set) var written = 0

    init(columns: Int, rows: Int) { cells = Array(repeating: Array(repeating: " ", count: columns), count: rows) }

    var text: [String] {
        cells.map { row in
            let end = row.lastIndex { $0 != " " && !$0.isEmpty }.map { $0 + 1 } ?? 0
            return row[..<end].joined()
        }
    }

    /// - Parameter frame: says how wide each character is; a real terminal decides that for itself.
    mutating func write(_ bytes: [UInt8], showing frame: Frame) {
        written += bytes.count
        var rest = Substring(String(decoding: bytes, as: UTF8.self))[...].unicodeScalars
        while let scalar = rest.popFirst() {
            guard scalar == "\u{1b}" else {
                rest.insertFirst(scalar)
                draw(&rest, frame)
                continue
            }
            guard rest.popFirst() == "[" else {
                surprises.append("no control sequence")
                continue
            }
            var parameters = ""
            while let next = rest.first, !next.properties.isAlphabetic {
                parameters.unicodeScalars.append(next)
                rest.removeFirst()
            }
            obey(parameters, rest.popFirst().map(String.init) ?? "")
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
        case ("?25", "l"): isCursorShown = false
        case ("?25", "h"): isCursorShown = true
        case (_, "m"): styles.insert(parameters)
        default: surprises.append(parameters + final)
        }
    }

    private mutating func draw(_ rest: inout Substring.UnicodeScalarView, _ frame: Frame) {
        let cell = column < frame.columns ? frame.lines[row][column] : .blank
        guard column < frame.columns, cell.width > 0, Substring(rest).unicodeScalars.starts(with: cell.text.unicodeScalars) else {
            surprises.append("unexpected text at \(row), \(column): \(rest.popFirst()?.value ?? 0)")
            return
        }
        rest.removeFirst(cell.text.unicodeScalars.count)
        cells[row][column] = cell.text
        for covered in 1..<max(1, cell.width) { cells[row][column + covered] = "" }
        column += cell.width
    }
}

extension Substring.UnicodeScalarView {
    fileprivate mutating func insertFirst(_ scalar: Unicode.Scalar) {
        var new = Substring.UnicodeScalarView()
        new.append(scalar)
        new.append(contentsOf: self)
        self = new
    }
}
