import ChatScreen
import Testing

@Suite struct ThreadTests {
    private func filled(_ count: UInt64, hasOlder: Bool = false, columns: Int = 80, rows: Int = 24) -> Screen {
        var screen = Screen.fixture(columns: columns, rows: rows)
        let lines = (1...count).map { ThreadLine.from("bob@tower", "text \($0).", $0) }
        screen.tell(.thread(conversation: "bob", lines, hasOlder: hasOlder, readThrough: count))
        return screen
    }

    private func texts(_ screen: Screen) -> [Int] {
        screen.shown.compactMap { row in row.firstRange(of: "text ").flatMap { Int(row[$0.upperBound...].prefix { $0 != "." }) } }
    }

    @Test func `lines stand in the order of their numbers, what has none is last`() {
        var screen = Screen.fixture()
        screen.tell(.line(conversation: "bob", .mine("queued", .queued)))
        screen.tell(.line(conversation: "bob", .from("bob@tower", "third", 3)))
        screen.tell(.line(conversation: "bob", .from("bob@tower", "second", 2)))
        func order() -> [String] {
            screen.shown.flatMap { row in ["hello", "second", "third", "queued", "fourth"].filter { row.hasSuffix($0) } }
        }
        #expect(order() == ["hello", "second", "third", "queued"])
        screen.tell(.line(conversation: "bob", .mine("queued", .failed("expired"))))
        screen.tell(.line(conversation: "bob", .from("bob@tower", "fourth", 4)))
        #expect(order() == ["hello", "second", "third", "queued", "fourth"])
        screen.tell(.line(conversation: "bob", .mine("queued", .accepted, number: 5)))
        #expect(order() == ["hello", "second", "third", "fourth", "queued"])
    }

    @Test func `a hole, a membership change, an alarm and what could not be opened say what they are`() {
        var screen = Screen.fixture()
        func tell(_ id: String, _ number: UInt64, _ kind: ThreadLine.Kind) {
            screen.tell(.line(conversation: "bob", ThreadLine(id: id, number: number, day: "2026-11-24", time: "10:00", kind: kind)))
        }
        tell("h", 2, .hole(1))
        tell("m", 3, .membership("anna@inn added bob@tower"))
        tell("a", 4, .alarm("forkedReceipt: two heads"))
        tell("u", 5, .unreadable(from: "bob@tower", reason: "no key"))
        #expect(screen.row(with: "... ") != nil && screen.row(with: "waiting for 1 message") != nil)
        #expect(screen.row(with: "anna@inn added bob@tower") != nil)
        #expect(screen.row(with: "10:00 !!!") != nil && screen.row(with: "alarm: forkedReceipt: two heads") != nil)
        #expect(screen.row(with: "10:00 ??? bob@tower could not be decrypted: no key") != nil)
        tell("h", 2, .received(from: "bob@tower", "found"))
        #expect(screen.row(with: "waiting for") == nil)
        screen.tell(.lineRemoved(conversation: "bob", line: "a"))
        #expect(screen.row(with: "alarm") == nil)
    }

    @Test func `days and what is new are set apart`() {
        var screen = Screen.fixture()
        let lines: [ThreadLine] = [
            .from("bob@tower", "old", 1, day: "2026-11-23"), .from("bob@tower", "seen", 2), .mine("mine", .read, number: 3),
            .from("bob@tower", "fresh", 4),
            .from("bob@tower", "fresher", 5),
        ]
        screen.tell(.thread(conversation: "bob", lines, hasOlder: false, readThrough: 2))
        let rows = screen.shown.compactMap { row in
            ["old", "seen", "mine", "fresh", "fresher", "── 2026-11-23 ─", "── 2026-11-24 ─", "── new ─"].last { row.contains($0) }
        }
        #expect(rows == ["── 2026-11-23 ─", "old", "── 2026-11-24 ─", "seen", "mine", "── new ─", "fresh", "fresher"])
        screen.tell(.line(conversation: "bob", .mine("answer", .queued, id: "answer")))
        #expect(screen.row(with: "── new ─") == nil)
        screen.tell(.line(conversation: "bob", .from("bob@tower", "while it is watched", 6)))
        #expect(screen.row(with: "── new ─") == nil)
    }

    @Test func `scrolling shows every line, and each once`() {
        for (columns, rows) in [(80, 24), (40, 10), (61, 7), (30, 5)] {
            var screen = filled(300, columns: columns, rows: rows)
            var seen = Set(texts(screen))
            #expect(seen.contains(300))
            for _ in 0..<300 {
                screen.press(.pageUp)
                seen.formUnion(texts(screen))
            }
            #expect(seen == Set(1...300))
            #expect(texts(screen).first == 1)
            let height = texts(screen).count
            for _ in 0..<300 { screen.press(.pageDown) }
            #expect(texts(screen).last == 300)
            #expect(texts(screen).count >= height - 1)
        }
    }

    @Test func `what was scrolled to stays when lines come and when the terminal changes its size`() throws {
        var screen = filled(200)
        screen.press(.pageUp, .pageUp, .pageUp)
        let seen = texts(screen)
        for number in UInt64(201)...230 { screen.tell(.line(conversation: "bob", .from("bob@tower", "text \(number).", number))) }
        #expect(texts(screen) == seen)
        #expect(screen.row(with: "more below") != nil)
        _ = screen.handle(.resized(columns: 50, rows: 12))
        #expect(texts(screen).last == seen.last)
        _ = screen.handle(.resized(columns: 80, rows: 24))
        #expect(texts(screen) == seen)
        screen.press(.escape)
        #expect(texts(screen).last == 230)
    }

    @Test func `older lines are asked for at the top, once, and come above`() {
        var screen = filled(30, hasOlder: true)
        #expect(screen.press(.pageUp).requests == [.loadOlder("bob", before: "line1")])
        #expect(screen.press(.pageUp).requests == [])
        let older = (0..<20).map {
            ThreadLine(id: "old\($0)", number: 0, day: "2026-11-24", time: "08:00", kind: .received(from: "bob@tower", "text \(900 + $0)."))
        }
        let lowest = texts(screen).last
        screen.tell(.older(conversation: "bob", older, hasOlder: false))
        #expect(texts(screen).last == lowest)
        screen.press(.pageUp)
        #expect(texts(screen).contains(919))
        for _ in 0..<5 { #expect(screen.press(.pageUp).requests == []) }
        #expect(texts(screen).first == 900)
    }

    @Test func `a thread in memory is bounded, the oldest lines go first`() {
        var screen = filled(1)
        for number in UInt64(2)...3_000 { screen.tell(.line(conversation: "bob", .from("bob@tower", "text \(number).", number))) }
        screen.press(.home, alt: true)
        #expect(texts(screen).first == 1_001)
        #expect(screen.row(with: "older: courier history") != nil)
        for number in UInt64(3_001)...3_100 {
            screen.tell(.line(conversation: "bob", .from("bob@tower", String(repeating: "x", count: 200_000), number)))
        }
        screen.press(.home, alt: true)
        #expect(screen.shown.count == 24)
    }

    @Test func `only some threads stay in memory; the others are asked for again`() {
        var screen = Screen.fixture()
        screen.tell(.conversations((0..<20).map { ConversationRow(id: "c\($0)", title: "c\($0)@inn") }))
        for place in 0..<20 {
            screen.tell(.select("c\(place)"))
            screen.tell(.thread(conversation: "c\(place)", [.from("a@b", "only \(place)!", 1)], hasOlder: false, readThrough: 1))
        }
        screen.tell(.select("c0"))
        #expect(screen.row(with: "only 0!") == nil)
        screen.tell(.select("c15"))
        #expect(screen.row(with: "only 15!") != nil)
    }

    @Test func `a very long message ends with a hint`() {
        var screen = Screen.fixture(columns: 40, rows: 10)
        screen.tell(.line(conversation: "bob", .from("bob@tower", String(repeating: "line\n", count: 3_000), 2)))
        #expect(screen.row(with: "! it is longer: courier history shows") != nil)
        screen.press(.home, alt: true)
        #expect(screen.row(with: "hello") != nil)
    }
}
