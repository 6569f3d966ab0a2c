import Vocabulary

/// Bytes that a client may not send, and the close code for them (RFC 6455 §7.4.1).
struct Violation: Sendable, CustomStringConvertible {
    let description: String
    let bytes: [UInt8]
    let code: Int

    private init(_ description: String, _ bytes: [UInt8], _ code: Int) {
        (self.description, self.bytes, self.code) = (description, bytes, code)
    }

    private static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        TestClient.frame(opcode: opcode, payload, isFinal: isFinal)
    }

    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    static let all: [Violation] = framing + lengths + contents + closes

    private static let framing = [
        Violation("text", frame(1, [0x68, 0x69]), 1003),
        Violation("not masked", TestClient.frame(opcode: 2, [1], isMasked: false), 1002),
        Violation("a reserved bit", TestClient.frame(opcode: 2, [1], reserved: 0x40), 1002),
        Violation("a reserved opcode", frame(3, [1]), 1002),
        Violation("a reserved control opcode", frame(11, [1]), 1002),
        Violation("a continuation of nothing", frame(0, [1]), 1002),
        Violation("a message within a message", frame(2, [1], isFinal: false) + frame(2, [1]), 1002),
        Violation("a ping in parts", frame(9, [1], isFinal: false), 1002),
        Violation("a long ping", frame(9, zeros(126)), 1002),
    ]

    private static let lengths = [
        Violation("2^62 bytes announced", [0x82, 0xff, 0x40] + zeros(7) + [1, 2, 3, 4], 1009),
        Violation("2^64 - 1 bytes announced", [0x82] + [UInt8](repeating: 0xff, count: 9) + [1, 2, 3, 4], 1009),
        Violation("one byte too much", frame(2, zeros(Limits.frameBytesMax + 1)), 1009),
        Violation("two parts that are too much", frame(2, zeros(65_536), isFinal: false) + frame(0, zeros(65_536)), 1009),
        Violation(
            "a flood of empty parts", frame(2, [], isFinal: false) + Array((0..<100).map { _ in frame(0, [], isFinal: false) }.joined()),
            1009),
    ]

    private static let contents = [Violation("no protobuf", frame(2, [0xff, 0xff, 0xff]), 1007)]

    private static let closes = [
        Violation("close 1000", frame(8, [0x03, 0xe8]), 1000),
        Violation("close without a code", frame(8, []), 1000),
        Violation("close 1005, which no one may send", frame(8, [0x03, 0xed]), 1002),
        Violation("close with half a code", frame(8, [3]), 1002),
    ]
}
