package import Cryptography

/// Makes inputs out of honest ones: bits, bytes, pieces and lengths changed, and parts of one put into another. For runs without
/// instrumentation, where nothing tells which input went somewhere new.
package struct Mutator {
    private let seeds: [[UInt8]]
    private let scripts: Bool
    private static let bytesMax = 128 * 1024
    private static let telling: [UInt8] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff]

    package init(_ target: any FuzzTarget) { (seeds, scripts) = (target.seeds, target.takesScripts) }

    package func next(using random: inout SeededGenerator) -> [UInt8] {
        if scripts { return script(using: &random) }
        var bytes = seeds.randomElement(using: &random) ?? []
        // Now and then the honest input itself: it must get through.
        for _ in 0..<Int.random(in: 0...4, using: &random) { mutate(&bytes, using: &random) }
        return bytes
    }

    /// Some steps of honest scripts, most of them as they were.
    private func script(using random: inout SeededGenerator) -> [UInt8] {
        var script = Script(seeds.randomElement(using: &random) ?? [])
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let other = Script(seeds.randomElement(using: &random) ?? []).steps
            let place = Int.random(in: 0...script.steps.count, using: &random)
            script.steps.insert(contentsOf: other.shuffled(using: &random).prefix(2), at: place)
        }
        for index in script.steps.indices where Int.random(in: 0..<3, using: &random) == 0 {
            var (kind, bytes) = (script.steps[index].kind, script.steps[index].bytes)
            if Int.random(in: 0..<8, using: &random) == 0 { kind = UInt8.random(in: 0...255, using: &random) }
            for _ in 0...Int.random(in: 0..<3, using: &random) { mutate(&bytes, using: &random) }
            script.steps[index] = Script.Step(kind: kind, bytes: bytes)
        }
        return script.encoded
    }

    private func mutate(_ bytes: inout [UInt8], using random: inout SeededGenerator) {
        let place = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 1...24, using: &random))
        switch Int.random(in: 0..<12, using: &random) {
        case 0...2 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 3 where !bytes.isEmpty: bytes[place] = Self.telling.randomElement(using: &random) ?? 0
        case 4 where !bytes.isEmpty: bytes[place] = bytes[place] &+ UInt8.random(in: 0...255, using: &random)
        case 5: bytes.removeSubrange(place..<end)
        case 6: bytes.insert(contentsOf: bytes[place..<end], at: end)
        case 7: bytes.insert(contentsOf: random.bytes(Int.random(in: 1...9, using: &random)), at: place)
        case 8: bytes = Array(bytes.prefix(place))
        case 9:
            let other = seeds.randomElement(using: &random) ?? []
            let from = other.isEmpty ? 0 : Int.random(in: 0..<other.count, using: &random)
            bytes.replaceSubrange(place..<end, with: other[from...].prefix(Int.random(in: 0...64, using: &random)))
        case 10:
            // The largest of numbers, where one may stand.
            let count = min(bytes.count - place, [2, 4, 8].randomElement(using: &random) ?? 2)
            bytes.replaceSubrange(place..<place + count, with: repeatElement(Bool.random(using: &random) ? 0xff : 0, count: count))
        default:
            let count = Int.random(in: 0...512, using: &random)
            bytes.insert(contentsOf: repeatElement(bytes.isEmpty ? 0 : bytes[place], count: count), at: place)
        }
        if bytes.count > Self.bytesMax { bytes.removeLast(bytes.count - Self.bytesMax) }
    }
}
