import ChatScreen
import Testing
import Vocabulary

@Suite struct ConversationTests {
    @Test func `the first conversation that is no request is opened by itself`() {
        var screen = Screen(columns: 80, rows: 24, isUTF8: true)
        let rows = [ConversationRow(id: "x", title: "x@inn", isRequest: true), ConversationRow(id: "bob", title: "bob@tower")]
        #expect(screen.tell(.conversations(rows)).requests == [.open("bob")])
        #expect(screen.row(with: "? x@inn") != nil)
    }

    @Test func `the list shows presence, unread messages, typing and alarms`() {
        var screen = Screen.fixture()
        #expect(screen.row(with: "▸● bob@tower") != nil)
        #expect(screen.row(with: "carol@inn         (3)") != nil)
        screen.tell(.typing(conversation: "carol", ["carol@inn"]))
        #expect(screen.row(with: "carol@inn      .. (3)") != nil)
        screen.tell(.presence(conversation: "carol", .online))
        #expect(screen.row(with: " ● carol@inn") != nil)
        screen.tell(.conversation(ConversationRow(id: "carol", title: "carol@inn", hasAlarm: true)))
        #expect(screen.row(with: "carol@inn           !") != nil)
    }

    @Test func `the title tells typing, presence, verification and members`() {
        var screen = Screen.fixture()
        #expect(screen.shown[0].hasSuffix("bob@tower  online"))
        screen.tell(.typing(conversation: "bob", ["bob@tower"]))
        #expect(screen.shown[0].hasSuffix("bob@tower  typing"))
        screen.tell(.typing(conversation: "bob", []))
        #expect(screen.shown[0].hasSuffix("bob@tower  online"))
        screen.press(.tab)
        #expect(screen.shown[0].hasSuffix("carol@inn  last seen 09:41"))
        screen.press(.tab)
        screen.tell(.typing(conversation: "club", ["dora@inn", "bob@tower"]))
        #expect(screen.shown[0].hasSuffix("Book club  3 members, dora@inn, bob@tower typing"))
    }

    @Test func `keys go from one conversation to the next, around the ends`() {
        var screen = Screen.fixture()
        #expect(screen.press(.tab).requests == [.open("carol")])
        #expect(screen.press(.control("n")).requests == [.open("club")])
        #expect(screen.press(.down, alt: true).requests.first == .open("bob"))
        #expect(screen.press(.control("p")).requests == [.open("club")])
        #expect(screen.press(.tab, shift: true).requests == [.open("carol")])
        #expect(screen.press(.text("1"), alt: true).requests.first == .open("bob"))
    }

    @Test func `what was typed stays with its conversation`() {
        var screen = Screen.fixture()
        screen.press(.text("half a sen"))
        screen.press(.control("n"))
        #expect(screen.shown.last == ">")
        screen.press(.control("p"))
        #expect(screen.shown.last == "> half a sen")
    }

    @Test func `a text is sent to the conversation that is shown`() {
        var screen = Screen.fixture()
        #expect(screen.enter("hello").contains(.send("hello", to: "bob")))
        #expect(screen.shown.last == ">")
        #expect(screen.enter("  ").allSatisfy { if case .send = $0 { false } else { true } })
        #expect(screen.enter("//x").contains(.send("/x", to: "bob")))
        #expect(screen.press(.text("a"), .paste("b\r\nc"), .enter).requests.contains(.send("ab\nc", to: "bob")))
    }

    @Test func `ticks turn`() {
        var screen = Screen.fixture()
        screen.tell(.line(conversation: "bob", .mine("hi", .queued)))
        #expect(screen.row(with: "09:42 ·   you       hi") != nil)
        for (state, tick) in [(SendState.sent, "→  "), (.accepted, "✓  "), (.delivered, "✓✓ "), (.read, "✓✓✓")] {
            screen.tell(.state(conversation: "bob", line: "mine", state))
            #expect(screen.row(with: "09:42 \(tick) you       hi") != nil)
        }
        screen.tell(.state(conversation: "bob", line: "mine", .failed("expired\u{1b}[2J")))
        #expect(screen.row(with: "! failed: expired\\u{1b}[2J") != nil)
    }

    @Test func `others hear that we type, once, and that we stopped`() {
        var screen = Screen.fixture()
        #expect(screen.press(.text("h")).requests == [.typing("bob", true)])
        #expect(screen.press(.text("i")).requests == [])
        #expect(screen.handle(.idled).requests == [.typing("bob", false)])
        #expect(screen.handle(.idled).requests == [])
        #expect(screen.press(.text("!")).requests == [.typing("bob", true)])
        #expect(screen.press(.enter).requests == [.typing("bob", false), .send("hi!", to: "bob")])
        #expect(screen.press(.text("/he")).requests == [])
        screen.press(.control("u"))
        screen.press(.text("x"))
        #expect(screen.press(.control("n")).requests == [.typing("bob", false), .open("carol")])
    }

    @Test func `what is shown to its end is read, and nothing else`() {
        var screen = Screen.fixture()
        #expect(screen.tell(.line(conversation: "bob", .from("bob@tower", "a", 2))).requests == [.markRead("bob", through: 2)])
        #expect(screen.tell(.line(conversation: "bob", .from("bob@tower", "a", 2))).requests == [])
        #expect(screen.tell(.line(conversation: "carol", .from("carol@inn", "b", 9))).requests == [])
        for number in UInt64(3)...60 { screen.tell(.line(conversation: "bob", .from("bob@tower", "a", number))) }
        screen.press(.pageUp)
        #expect(screen.tell(.line(conversation: "bob", .from("bob@tower", "a", 61))).requests == [])
        #expect(screen.press(.escape).requests == [.markRead("bob", through: 61)])
    }

    @Test func `nothing of a request is told to be read, and it must be decided before one writes`() {
        var screen = Screen.fixture()
        screen.tell(.conversation(ConversationRow(id: "m", title: "mallory@inn", isRequest: true)))
        screen.tell(.select("m"))
        #expect(screen.tell(.thread(conversation: "m", [.from("mallory@inn", "hi", 1)], hasOlder: false, readThrough: nil)).requests == [])
        #expect(screen.row(with: "mallory@inn wants to write to you: /accept, /decline") != nil)
        #expect(screen.enter("hi") == [])
        #expect(screen.row(with: "! Decide first") != nil)
        screen.press(.control("u"))
        #expect(screen.enter("/accept") == [.command(.accept, in: "m")])
        #expect(screen.tell(.conversation(ConversationRow(id: "m", title: "mallory@inn"))).requests == [.markRead("m", through: 1)])
    }

    @Test func `when the shown conversation goes another is shown`() throws {
        var screen = Screen.fixture()
        screen.press(.text("x"))
        #expect(screen.tell(.conversationRemoved("bob")).requests == [.typing("bob", false), .open("carol")])
        screen.tell(.conversationRemoved("carol"))
        #expect(screen.tell(.conversationRemoved("club")).requests == [])
        #expect(screen.row(with: "There are no conversations yet") != nil)
        #expect(screen.enter("hi") == [])
        screen.press(.control("u"))
        try #expect(screen.enter("/open bob@tower") == [.command(.open(Address("bob@tower")), in: nil)])
    }

    @Test func `a command typed before the conversations are known stays, a text for nobody goes nowhere`() throws {
        for (typed, stays, listed) in [
            ("/open bob@tower", true, []), ("/open bob@tower", true, [ConversationRow(id: "carol", title: "carol@inn")]),
            ("hello", true, []), ("hello", false, [ConversationRow(id: "carol", title: "carol@inn")]),
        ] {
            var screen = Screen(columns: 80, rows: 24, isUTF8: true)
            #expect(screen.row(with: "There are no conversations yet") == nil)
            screen.press(.text(typed))
            screen.tell(.conversations(listed))
            #expect((screen.row(with: "There are no conversations yet") != nil) == listed.isEmpty)
            #expect(screen.shown.last == (stays ? "> \(typed)" : ">"))
        }
    }

    @Test func `being offline is said, and notices are shown whole up to three rows`() {
        var screen = Screen.fixture()
        screen.tell(.offline("The node at 127.0.0.1:1 cannot be reached."))
        #expect(screen.row(with: "offline: The node at 127.0.0.1:1 cannot be reached.") != nil)
        screen.tell(.offline(nil))
        #expect(screen.row(with: "offline") == nil)
        screen.tell(.problem(String(repeating: "long words ", count: 15) + "end\u{1b}[H"))
        #expect(screen.row(with: "end\\u{1b}[H") != nil)
        screen.tell(.notice(String(repeating: "word ", count: 200)))
        #expect(screen.shown.filter { $0.hasPrefix("word") }.count == 3)
        #expect(screen.row(with: "…") != nil)
    }
}
