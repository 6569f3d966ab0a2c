/// Makes text from others safe to show: control characters, terminal escapes, bidi controls, what draws nothing, and marks with nothing
/// to stand on appear as `\u{…}`.
public enum Printable {
    /// One line: line breaks and tabs are escaped too.
    public static func line(_ text: String) -> String { escape(text, keepingLines: false) }

    /// Several lines: `\n` and `\t` stay.
    public static func text(_ text: String) -> String { escape(text, keepingLines: true) }

    /// How one scalar is shown that must not be drawn.
    public static func escaped(_ scalar: Unicode.Scalar) -> String { "\\u{\(String(scalar.value, radix: 16))}" }

    /// Marks on one letter; scripts need four at most, and more of them climb over the lines above.
    private static let marksMax = 4

    private static func escape(_ text: String, keepingLines: Bool) -> String {
        guard !text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { return text }
        var shown = String.UnicodeScalarView()
        // Marks since the last letter; nil where there is no letter to carry one.
        var marks: Int?
        for scalar in text.unicodeScalars {
            if keepingLines && (scalar == "\n" || scalar == "\t") {
                shown.append(scalar)
                marks = nil
            } else if isHostile(scalar) {
                shown.append(contentsOf: escaped(scalar).unicodeScalars)
                marks = nil
            } else if !isMark(scalar) {
                shown.append(scalar)
                marks = 0
            } else if let count = marks, count < marksMax {
                shown.append(scalar)
                marks = count + 1
            } else {
                shown.append(contentsOf: escaped(scalar).unicodeScalars)
            }
        }
        return String(shown)
    }

    /// Controls (Cc), format characters (Cf: bidi controls, zero-width ones, tags) and others that draw nothing, line and paragraph
    /// separators, surrogates and private use.
    private static func isHostile(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x7f || scalar.value < 0x20 else { return false }
        guard !isJoiner(scalar) else { return false }
        switch scalar.properties.generalCategory {
        case .format, .control, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// What is drawn over or with the character before it.
    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x300 else { return false }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return true
        default: return isJoiner(scalar)
        }
    }

    /// U+200D joins emoji and is needed by several scripts; U+FE0E and U+FE0F choose how an emoji looks.
    private static func isJoiner(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value == 0x200d || scalar.value == 0xfe0e || scalar.value == 0xfe0f
    }
}
