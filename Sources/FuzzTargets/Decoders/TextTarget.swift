internal import Vocabulary

/// Text from others on its way to people: nothing in it may be obeyed, hidden or drawn over something else.
struct TextTarget: FuzzTarget {
    let seeds: [[UInt8]] = [
        "hello", "two\nlines\tand a tab", "\u{1b}[2J\u{1b}]0;title\u{7}", "\u{202e}evil\u{202c}",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}", "👩‍👩‍👧‍👦 🇩🇪 ❤️", "\u{e0041}\u{200b}\u{2028}\u{feff}", "\r\n\u{85}\u{9b}31m", "각 あ 中 عربى",
    ].map { Array($0.utf8) }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        let text = String(decoding: input, as: UTF8.self)
        let (line, lines) = (Printable.line(text), Printable.text(text))
        try Self.check(line, allowing: "")
        try Self.check(lines, allowing: "\n\t")
        try promise(Printable.line(line) == line && Printable.text(lines) == lines, "what is escaped is escaped once more")
        let refusal = Refusal(.unknown, text)
        try promise(refusal.detail.utf8.count <= Limits.reasonBytesMax, "a refusal of \(refusal.detail.utf8.count) bytes")
        return !text.isEmpty
    }

    static func check(_ text: String, allowing allowed: String) throws(Finding) {
        for scalar in text.unicodeScalars where !allowed.unicodeScalars.contains(scalar) {
            let code = String(scalar.value, radix: 16)
            try promise(scalar.value >= 0x20 && !(0x7f..<0xa0).contains(scalar.value), "a control character is shown: \(code)")
            let isBidi =
                (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
                || [0x200e, 0x200f, 0x061c].contains(scalar.value)
            try promise(!isBidi, "a bidi control is shown: \(code)")
            let isLineBreak = scalar.value == 0x2028 || scalar.value == 0x2029
            try promise(!isLineBreak && scalar.value != 0xfeff, "what draws nothing is shown: \(code)")
        }
    }
}
