import ChatScreen
import Testing
import Vocabulary

@Suite struct InputTests {
    @Test func `the line is edited as in a shell`() {
        var screen = Screen.fixture()
        func line(_ keys: Key...) -> String {
            for key in keys { screen.press(key) }
            return screen.shown.last ?? ""
        }
        #expect(line(.text("one two  three"), .control("w")) == "> one two")
        #expect(line(.text("3"), .control("a"), .text("> ")) == "> > one two  3")
        #expect(line(.control("k")) == "> >")
        #expect(line(.control("y"), .control("e"), .backspace) == "> > one two")
        #expect(line(.control("u"), .text("né"), .left, .left, .delete, .end, .text("e\u{301}x"), .left, .backspace) == "> éx")
        #expect(line(.control("c")) == ">")
    }

    @Test func `words are jumped over and deleted with Alt`() {
        var screen = Screen.fixture()
        screen.press(.text("one two three"))
        screen.press(.text("b"), .text("b"), .text("d"), alt: true)
        #expect(screen.shown.last == "> one  three")
        screen.press(.right, alt: false)
        screen.press(.backspace, alt: true)
        #expect(screen.shown.last == "> three")
    }

    @Test func `the arrows bring back what was entered, and what was begun`() {
        var screen = Screen.fixture()
        screen.enter("first")
        screen.enter("second")
        screen.press(.text("third"))
        screen.press(.up)
        #expect(screen.shown.last == "> second")
        screen.press(.up, .up, .up)
        #expect(screen.shown.last == "> first")
        screen.press(.down, .down)
        #expect(screen.shown.last == "> third")
    }

    @Test func `a paste keeps its line breaks and sends nothing`() {
        var screen = Screen.fixture()
        #expect(screen.press(.paste("one\r\ntwo\u{1b}[2Jx\u{7}")).requests == [.typing("bob", true)])
        #expect(screen.shown.last == "> one↵two[2Jx")
    }

    @Test func `long input takes more rows, and what does not fit a message is refused`() {
        var screen = Screen.fixture()
        screen.press(.text(String(repeating: "字", count: 100)))
        #expect(screen.shown.suffix(3).allSatisfy { $0.hasPrefix("> ") })
        #expect(screen.render().cursor == Frame.Place(row: 23, column: 2 + 200 - 2 * 78))
        screen.press(.control("u"))
        screen.press(.text(String(repeating: "x", count: ScreenLimits.inputBytesMax)))
        screen.press(.text("y"))
        #expect(screen.row(with: "longer than a message may be") != nil)
        #expect(screen.enter("").contains(.send(String(repeating: "x", count: ScreenLimits.inputBytesMax), to: "bob")))
    }

    @Test(arguments: [
        ("/open dora@inn", ChatCommand.open(.known("dora@inn"))), ("/info", .info), ("/verify", .verify(nil, code: nil)),
        ("/verify 12345 67890", .verify(nil, code: "12345 67890")), ("/trust", .trust(nil)), ("/block", .block(nil)),
        ("/unb dora@inn", .unblock(.known("dora@inn"))),
        (
            "/group \"Chess club\" bob@tower  dora@inn",
            .createGroup(name: "Chess club", members: [.known("bob@tower"), .known("dora@inn")])
        ),
        ("/receipts", .receipts(line: "m3")), ("/rec 2", .receipts(line: "m2")), ("/alarms", .alarms),
    ])
    func `a command is understood`(line: String, command: ChatCommand) {
        var screen = Screen.fixture()
        for number in UInt64(2)...3 { screen.tell(.line(conversation: "bob", .mine("x", .sent, id: "m\(number)", number: number))) }
        #expect(screen.enter(line) == [.command(command, in: "bob")])
        #expect(screen.shown.last == ">")
    }

    @Test(arguments: [
        ("/add dora@inn", ChatCommand.add([.known("dora@inn")])),
        ("/remove bob@tower dora@inn", .remove([.known("bob@tower"), .known("dora@inn")])),
        ("/leave", .leave), ("/reset", .reset), ("/rename A better name", .rename("A better name")),
        ("/role dora@inn admin", .setRole(.known("dora@inn"), .admin)),
        ("/verify dora@inn 123", .verify(.known("dora@inn"), code: "123")),
    ])
    func `a command of groups is understood in a group, and in no other conversation`(line: String, command: ChatCommand) {
        var screen = Screen.fixture()
        if !line.hasPrefix("/verify") { #expect(screen.enter(line) == []) }
        screen.press(.control("u"))
        screen.tell(.select("club"))
        #expect(screen.enter(line) == [.command(command, in: "club")])
    }

    @Test(arguments: [
        "/nonsense", "/", "/open", "/open bob", "/r", "/role x@y king", "/accept", "/receipts 1", "/receipts 0", "/receipts x", "/group",
        "/leave",
    ])
    func `what is no command is explained, kept, and not sent`(line: String) {
        var screen = Screen.fixture()
        #expect(screen.enter(line) == [])
        #expect(screen.shown.contains { $0.hasPrefix("! ") })
        #expect(screen.shown.last == "> \(line)".trimmed)
    }

    @Test func `Tab completes commands, addresses and roles`() {
        var screen = Screen.fixture()
        func tab(_ text: String) -> String {
            screen.press(.control("u"))
            screen.press(.text(text))
            screen.press(.tab)
            return screen.shown.last ?? ""
        }
        #expect(tab("/gr") == "> /group")
        #expect(tab("/re") == "> /re")
        #expect(screen.row(with: "/remove  /reset  /rename  /receipts") != nil)
        #expect(tab("/open ca") == "> /open carol@inn")
        #expect(tab("/open x") == "> /open x")
        screen.press(.control("u"))
        screen.tell(.select("club"))
        #expect(tab("/role do") == "> /role dora@inn")
        #expect(tab("/role dora@inn a") == "> /role dora@inn admin")
    }

    @Test func `help and answers lie over the thread until Escape`() {
        var screen = Screen.fixture()
        screen.enter("/help")
        #expect(screen.row(with: "/group NAME MEMBER...") != nil)
        #expect(screen.row(with: "✓✓✓  it was read") != nil)
        let first = screen.shown
        screen.press(.pageDown, .pageDown, .pageDown, .pageDown)
        #expect(screen.row(with: "Ctrl-L, Ctrl-Z") != nil)
        screen.press(.pageUp, .pageUp, .pageUp, .pageUp)
        #expect(screen.shown == first)
        screen.press(.escape)
        #expect(screen.row(with: "hello") != nil)
        screen.tell(.panel(title: "Receipts", ["bob@tower\u{1b}[2J read 09:41"]))
        #expect(screen.row(with: "bob@tower\\u{1b}[2J read 09:41") != nil)
    }

    @Test func `Control-C clears, then quits; Control-D and quit quit; Control-Z suspends; Control-L draws anew`() {
        var screen = Screen.fixture()
        screen.press(.text("x"))
        #expect(!screen.press(.control("c")).contains(.quit))
        #expect(screen.press(.control("c")).contains(.quit))
        #expect(screen.press(.control("d")).contains(.quit))
        #expect(screen.press(.text("/quit"), .enter).contains(.quit))
        #expect(screen.press(.control("z")).contains(.suspend))
        #expect(screen.press(.control("l")) == [.redraw])
    }
}

extension String {
    fileprivate var trimmed: String { String(reversed().drop { $0 == " " }.reversed()) }
}

extension Address {
    /// An address that is one; the tests' own words.
    fileprivate static func known(_ text: String) -> Address {
        guard let address = try? Address(text) else { fatalError("\(text) is no address") }
        return address
    }
}
