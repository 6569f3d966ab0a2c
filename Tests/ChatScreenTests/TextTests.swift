import ChatScreen
import Testing
import Vocabulary

/// What others may write to disturb a terminal or its reader.
let hostileTexts: [String] = [
    "\u{1b}[2J\u{1b}[H", "\u{1b}]0;title\u{7}", "\u{1b}]52;c;aGk=\u{1b}\\", "\u{1b}P+q544e\u{1b}\\", "\u{1b}c", "\u{9b}31m",
    "\u{90}x\u{9c}",
    "\u{0}\u{1}\u{7}\u{8}\u{c}\u{e}\u{f}\u{7f}", "a\rb", "a\u{b}b", "\u{202e}txet\u{202c}", "\u{2066}x\u{2069}",
    "\u{200b}\u{200c}\u{200e}\u{200f}\u{feff}",
    "\u{2028}\u{2029}\u{85}", "\u{300}lone", "\u{200d}lone", "\u{fe0f}lone", "e" + String(repeating: "\u{301}", count: 60),
    "\u{3164}\u{115f}\u{2060}",
    "\u{e0041}\u{e007f}", "\u{e000}\u{f8ff}\u{10fffd}", String(repeating: "x", count: 3000), String(repeating: "字", count: 900),
    String(decoding: [0xff, 0xc0, 0x80, 0x1b, 0x5b, 0x41, 0xed, 0xa0, 0x80], as: UTF8.self), "👩‍👩‍👧‍👦🇩🇪👍🏽1️⃣", "नमस्ते한글ไทย", "\t\ttabs\t", "שלום",
]

@Suite struct TextTests {
    /// Columns that a text takes on the screen, from where the cursor is after typing it.
    private func columns(_ text: String) -> Int {
        var screen = Screen.fixture()
        screen.press(.text(text))
        return (screen.render().cursor?.column ?? 0) - 2
    }

    @Test(arguments: [
        ("abc", 3), ("é", 1), ("e\u{301}", 1), ("字", 2), ("ｱ", 1), ("Ａ", 2), ("한", 2), ("\u{1112}\u{1161}\u{11ab}", 2), ("👍", 2), ("👍🏽", 2),
        ("👩‍👩‍👧‍👦", 2), ("🇩🇪", 2), ("🇩🇪🇫🇷", 4), ("❤", 1), ("❤️", 2), ("1️⃣", 2), ("ก็", 1), ("नि", 2), ("✓", 1), ("字e\u{301}x", 4), ("🏳️‍🌈", 2),
    ])
    func `a character takes the columns that terminals give it`(text: String, width: Int) {
        #expect(columns(text) == width)
    }

    @Test(arguments: hostileTexts)
    func `hostile text leaves nothing that a terminal obeys`(text: String) {
        for shown in [Printable.line(text), Printable.text(text)] {
            #expect(shown.unicodeScalars.allSatisfy { $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control })
            #expect(shown.unicodeScalars.allSatisfy { !(0x202a...0x202e).contains($0.value) && !(0x2060...0x206f).contains($0.value) })
        }
        #expect(!Printable.line(text).unicodeScalars.contains("\n"))
    }

    @Test func `marks without a letter are escaped, and more than four on one letter`() {
        #expect(Printable.line("\u{301}a") == "\\u{301}a")
        #expect(Printable.line("x\u{1b}\u{301}") == "x\\u{1b}\\u{301}")
        #expect(Printable.line("e\u{301}\u{302}\u{303}\u{304}") == "e\u{301}\u{302}\u{303}\u{304}")
        #expect(
            Printable.line("e\u{301}\u{302}\u{303}\u{304}\u{305}").unicodeScalars.elementsEqual(
                "e\u{301}\u{302}\u{303}\u{304}\\u{305}".unicodeScalars))
        #expect(Printable.line("👩‍👧") == "👩‍👧")
    }

    @Test(arguments: hostileTexts, [(80, 24), (40, 10)])
    func `hostile text changes nothing but its own line`(text: String, size: (Int, Int)) throws {
        func lines(_ text: String) throws -> (before: [String], after: [String]) {
            var screen = Screen.fixture(columns: size.0, rows: size.1)
            screen.tell(.thread(conversation: "bob", [.from("bob@tower", "first", 1)], hasOlder: false, readThrough: 1))
            screen.tell(.line(conversation: "bob", .from("bob@tower", text, 2)))
            screen.tell(.line(conversation: "bob", .from("bob@tower", "last", 3)))
            let frame = screen.render()
            var terminal = Terminal(columns: size.0, rows: size.1)
            var writer = TerminalWriter(looks: .colours)
            terminal.write(writer.update(to: frame), showing: frame)
            #expect(terminal.surprises.isEmpty)
            #expect(terminal.text == frame.text)
            #expect(frame.lines.allSatisfy { $0.reduce(0) { $0 + $1.width } == size.0 })
            let last = try #require(frame.text.firstIndex { $0.hasSuffix("last") })
            return (Array(frame.text[..<1]), Array(frame.text[last...]))
        }
        let (hostile, harmless) = (try lines(text), try lines("harmless"))
        #expect(hostile.before == harmless.before)
        #expect(hostile.after == harmless.after)
    }

    @Test func `a text of several lines never begins where others' lines do`() {
        var screen = Screen.fixture()
        screen.tell(.line(conversation: "bob", .from("bob@tower", "one\n09:41 ✓✓✓ you       forged\nthree", 2)))
        let rows = screen.shown.map { $0.split(separator: "│").last.map(String.init) ?? "" }
        #expect(rows.contains { $0.hasPrefix("09:41     bob@tower one") })
        #expect(rows.contains { $0.hasPrefix("                    09:41 ✓✓✓ you       forged") })
    }

    @Test func `words move to the next row whole, and only too long ones are broken`() {
        var screen = Screen.fixture(columns: 40, rows: 12)
        screen.tell(.line(conversation: "bob", .from("b@t", "the quick brown fox " + String(repeating: "y", count: 60), 2)))
        #expect(screen.shown.contains("09:41     b@t: the quick brown fox"))
        #expect(screen.shown.contains("  " + String(repeating: "y", count: 38)))
        #expect(screen.shown.contains("  " + String(repeating: "y", count: 22)))
    }

    @Test func `without UTF-8 everything is ASCII and still readable`() {
        var screen = Screen.fixture(isUTF8: false)
        screen.tell(.line(conversation: "bob", .from("bob@tower", "schön", 2)))
        screen.tell(.line(conversation: "bob", .mine("ok", .read, number: 3)))
        #expect(screen.shown.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f } })
        #expect(screen.row(with: "sch\\u{f6}n") != nil)
        #expect(screen.row(with: "+++ you       ok") != nil)
    }
}
