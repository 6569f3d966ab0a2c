import ChatScreen
import Testing

@Suite struct KeyTests {
    private func keys(_ text: String) -> [KeyEvent] {
        var decoder = KeyDecoder()
        return decoder.decode(Array(text.utf8)) + decoder.giveUp()
    }

    @Test(arguments: [
        ("\u{1b}[A", KeyEvent(.up)), ("\u{1b}OA", KeyEvent(.up)), ("\u{1b}[1;3B", KeyEvent(.down, hasAlt: true)),
        ("\u{1b}\u{1b}[B", KeyEvent(.down, hasAlt: true)),
        ("\u{1b}[5~", KeyEvent(.pageUp)), ("\u{1b}[6~", KeyEvent(.pageDown)), ("\u{1b}[3~", KeyEvent(.delete)),
        ("\u{1b}[Z", KeyEvent(.tab, hasShift: true)),
        ("\u{1b}[H", KeyEvent(.home)), ("\u{1b}[4~", KeyEvent(.end)), ("\u{1b}[1;5D", KeyEvent(.left, hasControl: true)),
        ("\r", KeyEvent(.enter)),
        ("\n", KeyEvent(.enter)), ("\u{1b}\r", KeyEvent(.enter, hasAlt: true)), ("\u{7f}", KeyEvent(.backspace)),
        ("\u{8}", KeyEvent(.backspace)),
        ("\u{e}", KeyEvent(.control("n"))), ("\u{1b}b", KeyEvent(.text("b"), hasAlt: true)), ("\u{1b}", KeyEvent(.escape)),
        ("\u{1b}[15~", KeyEvent(.other)),
        ("\u{1b}[[A", KeyEvent(.other)), ("grüße 👍", KeyEvent(.text("grüße 👍"))), ("\u{1b}[200~a\nb\u{1b}[201~", KeyEvent(.paste("a\nb"))),
    ])
    func `a key is known by what terminals send for it`(bytes: String, key: KeyEvent) {
        #expect(keys(bytes) == [key])
    }

    @Test func `keys are the same however their bytes are split over reads`() {
        let bytes = Array("a\u{1b}[1;3Bé👍\u{1b}Ox\u{1b}[200~pa\u{1b}[20ste\r\n\u{1b}[201~\u{1b}]0;x\u{7}\u{1b}b\u{3}z".utf8)
        let whole = merged(KeyDecoder.decodeAll([bytes]))
        #expect(whole.count == 8)
        for first in 0..<bytes.count {
            for second in first..<bytes.count {
                let parts = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                #expect(merged(KeyDecoder.decodeAll(parts)) == whole)
            }
        }
    }

    /// Text that came in several reads is several events; that is no difference.
    private func merged(_ events: [KeyEvent]) -> [KeyEvent] {
        events.reduce(into: []) { all, event in
            if case .text(let more) = event.key, !event.hasAlt, case .text(let text)? = all.last?.key, all.last?.hasAlt == false {
                all[all.count - 1] = KeyEvent(.text(text + more))
            } else {
                all.append(event)
            }
        }
    }

    @Test func `escape alone is known once nothing follows it`() {
        var decoder = KeyDecoder()
        #expect(decoder.decode([0x1b]) == [])
        #expect(decoder.awaited == .sequence)
        #expect(decoder.giveUp() == [KeyEvent(.escape)])
        #expect(decoder.awaited == .nothing)
        #expect(decoder.decode(Array("[A".utf8)) == [KeyEvent(.text("[A"))])
    }

    @Test func `a paste without an end is given up and keeps what came`() {
        var decoder = KeyDecoder()
        #expect(decoder.decode(Array("\u{1b}[200~half".utf8)) == [])
        #expect(decoder.awaited == .paste)
        #expect(decoder.giveUp() == [KeyEvent(.paste("half"))])
        #expect(decoder.decode(Array("x".utf8)) == [KeyEvent(.text("x"))])
    }

    @Test func `what cannot be UTF-8 is replaced and swallows nothing after it`() {
        var decoder = KeyDecoder()
        let events = decoder.decode([0xff, 0x61, 0xc3, 0x28, 0xf0, 0x9f]) + decoder.decode([0x0d])
        #expect(events.map(\.key).last == .enter)
        #expect(events.contains(KeyEvent(.text("\u{fffd}a\u{fffd}("))))
    }

    @Test func `an endless paste or sequence is bounded`() {
        var decoder = KeyDecoder()
        _ = decoder.decode(Array("\u{1b}[200~".utf8))
        for _ in 0..<200 { _ = decoder.decode(Array(repeating: 0x61, count: 4096)) }
        let events = decoder.decode(Array("\u{1b}[201~b".utf8))
        guard case .paste(let text)? = events.first?.key else {
            Issue.record("no paste")
            return
        }
        #expect(text.utf8.count == ScreenLimits.pasteBytesMax + 1)
        #expect(events.last == KeyEvent(.text("b")))
        for _ in 0..<100 { _ = decoder.decode(Array("\u{1b}[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1".utf8)) }
        #expect(decoder.giveUp().count <= 1)
    }

    @Test func `random bytes give keys and no end`() {
        var random = Seeded(state: 7)
        for _ in 0..<300 {
            var decoder = KeyDecoder()
            var screen = Screen.fixture()
            for _ in 0..<4 {
                let alphabet: [UInt8] = [
                    0x1b, 0x5b, 0x4f, 0x7e, 0x32, 0x30, 0x31, 0x3b, 0x41, 0x0d, 0x09, 0xc3, 0xa9, 0xf0, 0x9f, 0x2f, 0x1a, 0x17,
                ]
                let bytes = (0..<Int.random(in: 0..<12, using: &random)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                }
                for event in decoder.decode(bytes) { _ = screen.handle(.key(event)) }
            }
            for event in decoder.giveUp() { _ = screen.handle(.key(event)) }
            #expect(screen.render().rows == 24)
        }
    }
}

/// The same numbers on every run.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 31) ^ (state << 17)
    }
}

extension KeyDecoder {
    static func decodeAll(_ parts: [[UInt8]]) -> [KeyEvent] {
        var decoder = KeyDecoder()
        return parts.flatMap { decoder.decode($0) } + decoder.giveUp()
    }
}
