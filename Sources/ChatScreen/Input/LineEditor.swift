/// The text being typed. The cursor stands between `before` and `after`, so that no index can be wrong.
struct LineEditor: Hashable, Sendable {
    private(set) var before = ""
    private(set) var after = ""
    private var killed = ""

    var text: String { before + after }
    var isEmpty: Bool { before.isEmpty && after.isEmpty }

    mutating func set(_ text: String, after: String = "") { (before, self.after) = (text, after) }

    /// - Returns: false when it would be longer than a message may be; then nothing is inserted.
    mutating func insert(_ text: String) -> Bool {
        let text = Self.typeable(text)
        guard before.utf8.count + after.utf8.count + text.utf8.count <= ScreenLimits.inputBytesMax else { return false }
        before += text
        return true
    }

    /// Line breaks and tabs stay; other control characters have no business in a text.
    private static func typeable(_ text: String) -> String {
        var (out, previous) = (String.UnicodeScalarView(), Unicode.Scalar(0x20))
        for scalar in text.unicodeScalars {
            if scalar == "\r" || (scalar == "\n" && previous != "\r") {
                out.append("\n")
            } else if scalar != "\n", scalar == "\t" || scalar.properties.generalCategory != .control {
                out.append(scalar)
            }
            previous = scalar
        }
        return String(out)
    }

    // MARK: Moving

    mutating func left() { back(before.isEmpty ? 0 : 1) }
    mutating func right() { forth(after.isEmpty ? 0 : 1) }
    mutating func wordLeft() { back(wordBefore) }
    mutating func wordRight() { forth(wordAfter) }
    mutating func home() { (before, after) = ("", text) }
    mutating func end() { (before, after) = (text, "") }

    private mutating func back(_ count: Int) {
        after = before.suffix(count) + after
        before.removeLast(count)
    }

    private mutating func forth(_ count: Int) {
        before += after.prefix(count)
        after.removeFirst(count)
    }

    // MARK: Deleting

    mutating func backspace() { _ = before.popLast() }

    mutating func delete() {
        if !after.isEmpty { after.removeFirst() }
    }

    mutating func clear() { (before, after) = ("", "") }

    mutating func killWordBefore() {
        let count = wordBefore
        guard count > 0 else { return }
        killed = String(before.suffix(count))
        before.removeLast(count)
    }

    mutating func killWordAfter() {
        let count = wordAfter
        guard count > 0 else { return }
        killed = String(after.prefix(count))
        after.removeFirst(count)
    }

    mutating func killBefore() {
        guard !before.isEmpty else { return }
        (killed, before) = (before, "")
    }

    mutating func killAfter() {
        guard !after.isEmpty else { return }
        (killed, after) = (after, "")
    }

    /// What was killed last comes back.
    mutating func yank() -> Bool { insert(killed) }

    /// Characters back to the beginning of the word, blanks after it included; a word ends at blanks, as in a shell.
    private var wordBefore: Int {
        let blanks = before.reversed().prefix { $0.isWhitespace }.count
        return blanks + before.dropLast(blanks).reversed().prefix { !$0.isWhitespace }.count
    }

    private var wordAfter: Int {
        let blanks = after.prefix { $0.isWhitespace }.count
        return blanks + after.dropFirst(blanks).prefix { !$0.isWhitespace }.count
    }
}
