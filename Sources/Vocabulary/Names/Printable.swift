/// Makes text from others safe to show: control characters, terminal escapes and bidi controls appear as `\u{…}`.
public enum Printable {
    /// One line: line breaks and tabs are escaped too.
    public static func line(_ text: String) -> String { escape(text, keepingLines: false) }

    /// Several lines: `\n` and `\t` stay.
    public static func text(_ text: String) -> String { escape(text, keepingLines: true) }

    private static func escape(_ text: String, keepingLines: Bool) -> String {
        guard text.unicodeScalars.contains(where: isHostile) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if !isHostile(scalar) || (keepingLines && (scalar == "\n" || scalar == "\t")) {
                shown.append(scalar)
            } else {
                shown.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            }
        }
        return String(shown)
    }

    /// Controls (Cc), format characters (Cf: bidi controls, zero-width ones, tags), line and paragraph separators, surrogates and private use.
    private static func isHostile(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value >= 0x7f || scalar.value < 0x20 else { return false }
        switch scalar.properties.generalCategory {
        // U+200D joins emoji and is needed by several scripts; alone it draws nothing and moves nothing.
        case .format: return scalar.value != 0x200d
        case .control, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: return true
        default: return false
        }
    }
}
