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
    mutating func tell(_ update: ChatUpdate) -> [ScreenAction] { handle(.told([update])) }

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
