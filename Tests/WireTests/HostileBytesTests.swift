import Testing
import Vocabulary
import Wire

/// Whatever bytes come, decoding ends in a frame or in a typed error. A trap would end this process.
struct HostileBytesTests {
    /// xorshift64*: small, repeatable.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_f491_4f6c_dd1d
        }
    }

    private func survives<F: Frame>(_: F.Type, seed: UInt64) throws {
        var random = Numbers(state: seed)
        let frames = try F.fixtures().map { $0.serialized() }
        var decoded = 0
        for _ in 0..<35_000 {
            var bytes = frames.randomElement(using: &random) ?? []
            for _ in 0...Int.random(in: 0..<4, using: &random) { mutate(&bytes, frames, &random) }
            guard let frame = try? F(serialized: bytes) else { continue }
            decoded += 1
            // What was understood is written as something that is understood alike.
            #expect(try F(serialized: frame.serialized()) == frame)
        }
        #expect(decoded > 100)
    }

    private func mutate(_ bytes: inout [UInt8], _ frames: [[UInt8]], _ random: inout Numbers) {
        let place = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1 where !bytes.isEmpty: bytes[place] = [0, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 0..<8, using: &random)))
        case 3:
            bytes.insert(
                contentsOf: (0..<Int.random(in: 0..<12, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }, at: place)
        case 4: bytes = Array(bytes.prefix(place))
        case 5: bytes.replaceSubrange(place..., with: (frames.randomElement(using: &random) ?? []).dropFirst(place))
        default:
            bytes.replaceSubrange(
                place..<min(bytes.count, place + 1), with: Tree.varint(random.next() >> UInt64.random(in: 0..<64, using: &random)))
        }
    }

    @Test func `altered client frames never trap`() throws { try survives(ClientFrame.self, seed: 1) }
    @Test func `altered node frames never trap`() throws { try survives(NodeFrame.self, seed: 2) }
    @Test func `altered link frames never trap`() throws { try survives(LinkFrame.self, seed: 3) }

    @Test func `random bytes never trap`() {
        var random = Numbers(state: 4)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = try? ClientFrame(serialized: bytes)
            _ = try? NodeFrame(serialized: bytes)
            _ = try? LinkFrame(serialized: bytes)
        }
    }

    @Test func `every truncation of every frame ends in an error or a frame`() throws {
        for frame in try LinkFrame.fixtures() {
            let bytes = frame.serialized()
            for count in 0..<bytes.count { _ = try? LinkFrame(serialized: Array(bytes.prefix(count))) }
        }
    }
}
