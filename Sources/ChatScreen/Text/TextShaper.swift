internal import Vocabulary

/// Turns text, whoever wrote it, into cells. Nothing else makes cells, so nothing reaches the terminal that was not through `Printable`.
struct TextShaper: Sendable {
    /// Without it all that is not ASCII is escaped: the terminal would show something else, or nothing.
    let isUTF8: Bool

    /// One line: line breaks are escaped.
    func cells(_ text: String, _ style: Style = .plain) -> [Cell] { shape(Printable.line(text), style) }

    /// Several lines, at most `max` of them; a tab is a few blanks.
    func lines(_ text: String, _ style: Style = .plain, max: Int = .max) -> [[Cell]] {
        // By scalars: CR and LF together would be one Character, and no line break.
        let parts = Printable.text(text).unicodeScalars.split(separator: "\n", maxSplits: max, omittingEmptySubsequences: false)
        return parts.prefix(max).map { shape(String(String.UnicodeScalarView($0)), style) }
    }

    private func shape(_ text: String, _ style: Style) -> [Cell] {
        var cells: [Cell] = []
        cells.reserveCapacity(text.utf8.count)
        var cluster = Cluster()
        func flush() {
            if let cell = cluster.cell(style) { cells.append(cell) }
            cluster = Cluster()
        }
        for scalar in text.unicodeScalars {
            if scalar == "\t" {
                flush()
                cells += Array(repeating: .blank(style), count: 4)
            } else if scalar.value < 0x7f {
                flush()
                cluster.append(scalar)
            } else if !isUTF8 {
                flush()
                cells += Printable.escaped(scalar).unicodeScalars.map { Cell(String($0), width: 1, style: style) }
            } else {
                if !cluster.takes(scalar) { flush() }
                cluster.append(scalar)
            }
        }
        flush()
        return cells
    }
}

/// Scalars that are drawn as one: a letter with its marks, an emoji sequence, a flag, a Hangul syllable in parts.
private struct Cluster {
    private var text = String.UnicodeScalarView()
    private var width = 0
    private var isUncertain = false
    private var last: Unicode.Scalar?
    private var pictures = 0

    /// People in one emoji; longer chains are broken up.
    private static let picturesMax = 8

    func takes(_ scalar: Unicode.Scalar) -> Bool {
        guard let last else { return true }
        if ScalarWidth.columns(scalar) == 0 { return true }
        if scalar.properties.generalCategory == .spacingMark { return width < 3 }
        if ScalarWidth.isSkinTone(scalar.value) { return pictures > 0 && ScalarWidth.isPicture(last) }
        if ScalarWidth.isRegional(scalar.value) { return text.count == 1 && ScalarWidth.isRegional(last.value) }
        return last.value == 0x200d && pictures > 0 && pictures < Self.picturesMax && ScalarWidth.isPicture(scalar)
    }

    mutating func append(_ scalar: Unicode.Scalar) {
        let columns = ScalarWidth.columns(scalar)
        if text.isEmpty {
            width = columns
            isUncertain = !ScalarWidth.isCertain(scalar)
        } else {
            isUncertain = true
            if scalar.value == 0xfe0f, pictures > 0 || last.map({ $0.properties.isEmoji }) == true { width = max(width, 2) }
            if ScalarWidth.isRegional(scalar.value) { width = 2 }
            if scalar.properties.generalCategory == .spacingMark { width += columns }
        }
        if ScalarWidth.isPicture(scalar), !ScalarWidth.isSkinTone(scalar.value) || text.isEmpty { pictures += 1 }
        text.append(scalar)
        last = scalar
    }

    func cell(_ style: Style) -> Cell? {
        guard !text.isEmpty else { return nil }
        return Cell(String(text), width: max(width, 1), style: style, isUncertain: isUncertain)
    }
}
