import Foundation
import Glibc

/// Looks for texts in files: as they are, in hex and in base64 (both alphabets, at each of the three places a text can begin in a group).
struct DemoSearch {
    private let needles: [[UInt8]]

    init(_ texts: [String]) { needles = texts.flatMap { Self.forms(of: Array($0.utf8)) } }

    struct Result {
        var files = 0
        var bytes = 0
        var found: [String] = []
    }

    /// Every file below the folders and paths.
    func search(_ paths: [String]) -> Result {
        var result = Result()
        for path in paths {
            let below = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String }.map { path + "/" + $0 } ?? []
            for file in [path] + below {
                guard let type = try? FileManager.default.attributesOfItem(atPath: file)[.type] as? FileAttributeType, type == .typeRegular,
                    let data = FileManager.default.contents(atPath: file)
                else { continue }
                result.files += 1
                result.bytes += data.count
                if contains(data) { result.found.append(file) }
            }
        }
        return result
    }

    private func contains(_ data: Data) -> Bool {
        data.withUnsafeBytes { hay in needles.contains { Self.contains(hay, $0) } }
    }

    private static func contains(_ hay: UnsafeRawBufferPointer, _ needle: [UInt8]) -> Bool {
        guard var from = hay.baseAddress, let first = needle.first else { return false }
        let end = from + hay.count
        while end - from >= needle.count, let hit = memchr(from, Int32(first), end - from - needle.count + 1) {
            if memcmp(hit, needle, needle.count) == 0 { return true }
            from = UnsafeRawPointer(hit) + 1
        }
        return false
    }

    private static func forms(of text: [UInt8]) -> [[UInt8]] {
        let hex = text.map { String(format: "%02x", $0) }.joined()
        var forms = [text, Array(hex.utf8), Array(hex.uppercased().utf8)]
        for shift in 0..<3 {
            let encoded = Data([UInt8](repeating: 0, count: shift) + text).base64EncodedString()
            // What depends on the neighbours is cut off at both ends.
            let middle = encoded.dropFirst(shift == 0 ? 0 : 4).filter { $0 != "=" }.dropLast(2)
            forms.append(Array(middle.utf8))
            forms.append(Array(middle.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.map(String.init).joined().utf8))
        }
        return forms
    }
}
