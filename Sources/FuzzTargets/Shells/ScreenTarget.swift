internal import ChatScreen
internal import Vocabulary

/// The full-screen client: keys as a terminal sends them, and what others have written on its way to the terminal.
struct ScreenTarget: FuzzTarget {
    let seeds: [[UInt8]]
    var takesScripts: Bool { true }

    /// What a step brings.
    enum Kind: UInt8, CaseIterable {
        case keys = 0
        /// Nothing came for a while after the beginning of a key.
        case silence
        case size
        case line, title, name, notice, panel, state, older
    }

    init() {
        let hostile = TextTarget().seeds
        var seeds: [[UInt8]] = []
        func add(_ steps: [(Kind, [UInt8])]) { seeds.append(Script(steps.map { ($0.0.rawValue, $0.1) }).encoded) }
        for text in hostile {
            for kind in [Kind.line, .title, .name, .notice, .panel, .older] { add([(kind, text), (.size, [80, 24])]) }
            add([(.keys, text + [13])])
        }
        let keys = [
            "hello\r", "/help\r", "/group crew bob@tower\r", "\u{1b}[A\u{1b}[B\u{1b}[1;5D\u{1b}[5~", "\u{1b}[200~pasted\nlines\u{1b}[201~",
            "/add \t", "\u{1b}b\u{1b}d\u{17}\u{19}", "\u{1b}[3~\u{7f}\u{8}", "/open carol@inn\r\u{0e}\u{10}", "\u{1b}1\u{1b}2\u{1b}9",
            "\u{c}",
        ]
        for key in keys { add([(.keys, Array(key.utf8)), (.silence, []), (.line, Array("answer".utf8)), (.keys, [27, 27])]) }
        add([(.size, [0, 0]), (.line, hostile[5]), (.size, [255, 255]), (.size, [1, 1]), (.size, [20, 3])])
        add([(.state, [0]), (.state, [5]), (.keys, Array("hi\r".utf8)), (.state, [3])])
        self.seeds = seeds
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        let script = Script(input)
        // Half of all inputs, and always the same of them, on a terminal without UTF-8.
        var session = Session(isUTF8: input.count & 1 == 0)
        for step in script.steps { try session.perform(step) }
        return !script.steps.isEmpty
    }

    private struct Session {
        private var screen: Screen
        private var decoder = KeyDecoder()
        private var writer = TerminalWriter(looks: .colours)
        private var terminal = ObedientTerminal()
        private var number: UInt64 = 10

        init(isUTF8: Bool) {
            screen = Screen(columns: 80, rows: 24, isUTF8: isUTF8)
            _ = screen.handle(
                .told([
                    .me("alice@harbor"),
                    .conversations([
                        ConversationRow(id: "bob", title: "bob@tower", members: ["bob@tower"], presence: .online),
                        ConversationRow(id: "club", title: "Book club", isGroup: true, members: ["bob@tower", "dora@inn"]),
                    ]), .thread(conversation: "bob", [], hasOlder: true, readThrough: 1),
                ]))
        }

        mutating func perform(_ step: Script.Step) throws(Finding) {
            let (bytes, text) = (step.bytes, String(decoding: step.bytes, as: UTF8.self))
            number += 1
            let line = ThreadLine(id: "l\(number)", number: number, day: "2026-11-24", time: "09:41", kind: .received(from: text, text))
            let id = screen.shownConversation ?? "bob"
            switch Kind.allCases[Int(step.kind) % Kind.allCases.count] {
            case .keys: for event in decoder.decode(bytes) { try press(event) }
            case .silence: for event in decoder.giveUp() { try press(event) }
            case .size: try handle(.resized(columns: Int(bytes.first ?? 0) * 2, rows: Int(bytes.dropFirst().first ?? 0)))
            case .line: try handle(.told([.line(conversation: id, line), .line(conversation: id, own(text))]))
            case .title: try handle(.told([.conversation(ConversationRow(id: text, title: text, members: [text], unread: bytes.count))]))
            case .name: try handle(.told([.typing(conversation: id, [text]), .presence(conversation: id, .lastSeen(text)), .me(text)]))
            case .notice: try handle(.told([.notice(text), .offline(text)]))
            case .panel: try handle(.told([.panel(title: text, text.split(separator: " ").map(String.init))]))
            case .state: try handle(.told([.state(conversation: id, line: "own", state(bytes.first ?? 0, text))]))
            case .older: try handle(.told([.older(conversation: id, [line], hasOlder: false), .problem(text)]))
            }
            try draw()
        }

        private func own(_ text: String) -> ThreadLine {
            ThreadLine(id: "own", number: nil, day: "2026-11-24", time: "09:42", kind: .sent(text, .queued))
        }

        private func state(_ choice: UInt8, _ reason: String) -> SendState {
            [.queued, .sent, .accepted, .delivered, .read, .failed(reason)][Int(choice) % 6]
        }

        private mutating func press(_ event: KeyEvent) throws(Finding) { try handle(.key(event)) }

        private mutating func handle(_ input: ScreenInput) throws(Finding) {
            for action in screen.handle(input) {
                guard case .ask(.send(let text, _)) = action else { continue }
                try promise(text.utf8.count <= ScreenLimits.inputBytesMax, "a text of \(text.utf8.count) bytes is sent")
            }
        }

        /// What the terminal gets.
        private mutating func draw() throws(Finding) {
            let frame = screen.render()
            for row in frame.lines {
                try promise(row.reduce(0) { $0 + $1.width } <= frame.columns, "a row is wider than the screen")
            }
            try terminal.write(writer.update(to: frame), columns: frame.columns, rows: frame.rows)
        }
    }
}

/// Takes what the client may write to a terminal, and nothing else.
private struct ObedientTerminal {
    mutating func write(_ bytes: [UInt8], columns: Int, rows: Int) throws(Finding) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Finding("the terminal gets what is not UTF-8") }
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "\u{1b}" else {
                try TextTarget.check(String(scalar), allowing: "")
                continue
            }
            try promise(rest.popFirst() == "[", "an escape sequence of another kind")
            let parameters = rest.prefix { !$0.properties.isAlphabetic }
            rest = rest[parameters.endIndex...]
            try obey(String(parameters), rest.popFirst(), columns, rows)
        }
    }

    private func obey(_ parameters: String, _ final: Unicode.Scalar?, _ columns: Int, _ rows: Int) throws(Finding) {
        switch (parameters, final) {
        case (_, "H"):
            let place = parameters.split(separator: ";").compactMap { Int($0) }
            let isInside = place.count == 2 && (1...max(rows, 1)).contains(place[0]) && (1...max(columns, 1)).contains(place[1])
            try promise(isInside, "the cursor moves to \(parameters)")
        case ("2", "J"), ("2", "K"), ("?25", "l"), ("?25", "h"): break
        case (_, "m"):
            let isStyle = parameters.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x3b }
            try promise(isStyle, "a style of \(parameters)")
        default: throw Finding("the terminal is told \(parameters)\(final.map(String.init) ?? "")")
        }
    }
}
