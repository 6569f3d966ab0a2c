/// How many columns of a terminal one character takes.
/// Source: Unicode Standard Annex #11 (East Asian Width, W and F), UTS #51 (emoji presentation).
enum ScalarWidth {
    /// - Returns: 0 for what is drawn over the character before it, 2 for wide ones, else 1.
    static func columns(_ scalar: Unicode.Scalar) -> Int {
        let value = scalar.value
        if value < 0x300 { return 1 }
        if isWide(value) { return 2 }
        if isJamoTail(value) { return 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: return !isRegional(value) && scalar.properties.isEmojiPresentation ? 2 : 1
        }
    }

    /// Whether all terminals agree about it; after others the cursor is placed anew.
    static func isCertain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x300, 0x370..<0x483, 0x48a..<0x530, 0x2500..<0x2580, 0x3041..<0x3097, 0x30a0..<0x3100, 0x4e00..<0x9fd0, 0xac00..<0xd7a4:
            true
        default: false
        }
    }

    /// Letters of which two make one flag.
    static func isRegional(_ value: UInt32) -> Bool { (0x1f1e6...0x1f1ff).contains(value) }

    static func isSkinTone(_ value: UInt32) -> Bool { (0x1f3fb...0x1f3ff).contains(value) }

    /// What U+FE0F makes wide and U+200D joins; digits are emoji too, but only as key caps.
    static func isPicture(_ scalar: Unicode.Scalar) -> Bool { scalar.value > 0xff && scalar.properties.isEmoji }

    /// Vowels and final consonants that join the syllable's first letter.
    static func isJamoTail(_ value: UInt32) -> Bool { (0x1160...0x11ff).contains(value) || (0xd7b0...0xd7fb).contains(value) }

    private static func isWide(_ value: UInt32) -> Bool {
        guard value >= 0x1100 else { return false }
        var (low, high) = (0, wide.count)
        while low < high {
            let middle = (low + high) / 2
            if wide[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        return low < wide.count && wide[low].contains(value)
    }

    /// Wide and fullwidth blocks; wide emoji outside of them are known by their property.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2329...0x232a, 0x2e80...0x303e, 0x3041...0x3247, 0x3250...0x4dbf, 0x4e00...0xa4c6, 0xa960...0xa97c,
        0xac00...0xd7a3,
        0xf900...0xfaff, 0xfe10...0xfe19, 0xfe30...0xfe6b, 0xff01...0xff60, 0xffe0...0xffe6, 0x16fe0...0x18d08, 0x1aff0...0x1b2fb,
        0x1f200...0x1f202, 0x1f210...0x1f23b, 0x1f240...0x1f248, 0x1f250...0x1f251, 0x1f260...0x1f265, 0x20000...0x2fffd, 0x30000...0x3fffd,
    ]
}
