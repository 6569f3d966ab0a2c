import ChatScreen
import Testing

@Suite struct TerminalWriterTests {
    @Test func `only what changed is written`() {
        var screen = Screen.fixture()
        var writer = TerminalWriter(looks: .colours)
        let whole = writer.update(to: screen.render()).count
        #expect(writer.update(to: screen.render()).isEmpty)
        screen.press(.text("x"))
        #expect(writer.update(to: screen.render()).count < 60)
        screen.press(.control("u"))
        screen.tell(.state(conversation: "bob", line: "none", .read))
        _ = writer.update(to: screen.render())
        writer.forget()
        #expect(writer.update(to: screen.render()).count == whole)
    }

    @Test func `without colours none are written, without looks nothing but text and places`() {
        var screen = Screen.fixture()
        screen.tell(.line(conversation: "bob", .mine("x", .failed("y"))))
        let frame = screen.render()
        func styles(_ looks: TerminalWriter.Looks) -> Set<String> {
            var (writer, terminal) = (TerminalWriter(looks: looks), Terminal(columns: 80, rows: 24))
            terminal.write(writer.update(to: frame), showing: frame)
            #expect(terminal.text == frame.text)
            #expect(terminal.surprises.isEmpty)
            return terminal.styles
        }
        #expect(styles(.colours).contains { $0.contains("3") })
        #expect(styles(.monochrome).isDisjoint(with: ["30", "31", "32", "33", "34", "35", "36"]))
        #expect(styles(.monochrome).allSatisfy { !$0.contains("3") })
        #expect(styles(.plain) == ["0"])
    }

    /// Whatever happens, in whatever size: the terminal shows the frame, each row has its width, the cursor is on the screen.
    @Test(arguments: UInt64(1)...12)
    func `the terminal shows what the frame says after any history`(seed: UInt64) {
        var random = Seeded(state: seed &* 0x9e37_79b9_7f4a_7c15)
        var screen = Screen.fixture(isUTF8: seed % 4 != 0)
        var (writer, terminal) = (TerminalWriter(looks: .colours), Terminal(columns: 80, rows: 24))
        let keys: [Key] = [
            .enter, .tab, .backspace, .delete, .escape, .up, .down, .left, .right, .home, .end, .pageUp, .pageDown, .control("w"),
            .control("u"), .control("k"),
            .control("y"), .control("l"), .text("/"), .text("group x"), .text("e\u{301}"), .text("字👩‍👩‍👧‍👦"), .paste("a\nb\u{202e}"),
            .text("/help"),
        ]
        for step in 0..<150 {
            let number = UInt64.random(in: 1...40, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let (columns, rows) = (Int.random(in: 1...130, using: &random), Int.random(in: 1...40, using: &random))
                _ = screen.handle(.resized(columns: columns, rows: rows))
                terminal = Terminal(columns: columns, rows: rows)
                writer.forget()
            case 1...3:
                let text = hostileTexts[Int.random(in: 0..<hostileTexts.count, using: &random)]
                screen.tell(.line(conversation: ["bob", "club"].randomElement(using: &random) ?? "bob", .from(text, text, number)))
            case 4:
                screen.tell(
                    .line(
                        conversation: "bob",
                        .mine("own \(step)", .queued, id: "own\(number)", number: Bool.random(using: &random) ? number : nil)))
            case 5:
                screen.tell(
                    .conversation(
                        ConversationRow(
                            id: "c\(number % 5)", title: hostileTexts[step % hostileTexts.count], unread: step, isRequest: step % 2 == 0)))
            case 6: screen.tell(.conversationRemoved("c\(number % 5)"))
            default: screen.press(keys[Int.random(in: 0..<keys.count, using: &random)], alt: Int.random(in: 0..<6, using: &random) == 0)
            }
            let frame = screen.render()
            terminal.write(writer.update(to: frame), showing: frame)
            #expect(terminal.surprises == [], "step \(step)")
            #expect(terminal.text == frame.text, "step \(step)")
            #expect(frame.lines.allSatisfy { $0.reduce(0) { $0 + $1.width } == frame.columns }, "step \(step)")
            if let cursor = frame.cursor { #expect(cursor.row < frame.rows && cursor.column < frame.columns && cursor.column >= 0) }
        }
    }
}
