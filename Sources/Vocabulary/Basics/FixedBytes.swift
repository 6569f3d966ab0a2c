/// 32 bytes held inline, so that an id costs no allocation and hashes as four words.
public struct Bytes32: Hashable, Comparable, Sendable {
    public static let zero = Bytes32(0, 0, 0, 0)

    // Inlinable throughout, as the ids around it: a generic call into another module costs more than what it does.
    @usableFromInline let a, b, c, d: UInt64

    @inlinable
    init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
        (self.a, self.b, self.c, self.d) = (a, b, c, d)
    }

    /// - Returns: nil unless there are exactly 32 bytes.
    @inlinable
    public init?(_ bytes: some Collection<UInt8>) {
        if let made = bytes.withContiguousStorageIfAvailable({ Bytes32(memory: UnsafeRawBufferPointer($0)) }) {
            guard let made else { return nil }
            self = made
            return
        }
        guard bytes.count == 32 else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var index = 0
        for byte in bytes {
            switch index >> 3 {
            case 0: words.0 = words.0 << 8 | UInt64(byte)
            case 1: words.1 = words.1 << 8 | UInt64(byte)
            case 2: words.2 = words.2 << 8 | UInt64(byte)
            default: words.3 = words.3 << 8 | UInt64(byte)
            }
            index += 1
        }
        self.init(words.0, words.1, words.2, words.3)
    }

    @inlinable public var bytes: [UInt8] { withMemory { Array($0) } }

    /// As above, from memory.
    @inlinable
    public init?(memory: UnsafeRawBufferPointer) {
        guard memory.count == 32 else { return nil }
        func word(_ index: Int) -> UInt64 { UInt64(bigEndian: memory.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) }
        self.init(word(0), word(1), word(2), word(3))
    }

    @inlinable
    public func withMemory<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: (a.bigEndian, b.bigEndian, c.bigEndian, d.bigEndian), body)
    }

    /// The bytes as four big-endian words, for arithmetic on them.
    public var words: (UInt64, UInt64, UInt64, UInt64) { (a, b, c, d) }

    @inlinable
    public static func < (x: Bytes32, y: Bytes32) -> Bool { (x.a, x.b, x.c, x.d) < (y.a, y.b, y.c, y.d) }
}

/// 16 bytes held inline.
public struct Bytes16: Hashable, Comparable, Sendable {
    @usableFromInline let a, b: UInt64

    @inlinable
    public init(_ a: UInt64, _ b: UInt64) { (self.a, self.b) = (a, b) }

    /// - Returns: nil unless there are exactly 16 bytes.
    @inlinable
    public init?(_ bytes: some Collection<UInt8>) {
        if let made = bytes.withContiguousStorageIfAvailable({ Bytes16(memory: UnsafeRawBufferPointer($0)) }) {
            guard let made else { return nil }
            self = made
            return
        }
        guard bytes.count == 16 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in bytes.enumerated() {
            if index < 8 { words.0 = words.0 << 8 | UInt64(byte) } else { words.1 = words.1 << 8 | UInt64(byte) }
        }
        self.init(words.0, words.1)
    }

    @inlinable public var bytes: [UInt8] { withMemory { Array($0) } }

    @inlinable
    public init?(memory: UnsafeRawBufferPointer) {
        guard memory.count == 16 else { return nil }
        func word(_ index: Int) -> UInt64 { UInt64(bigEndian: memory.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) }
        self.init(word(0), word(1))
    }

    @inlinable
    public func withMemory<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: (a.bigEndian, b.bigEndian), body)
    }

    @inlinable
    public static func < (x: Bytes16, y: Bytes16) -> Bool { (x.a, x.b) < (y.a, y.b) }
}

public enum Hex {
    private static let digits = [UInt8]("0123456789abcdef".utf8)

    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Returns: nil for an odd length or any character that is no hex digit (either case is read).
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            let digit: UInt8
            switch character {
            case 0x30...0x39: digit = character - 0x30
            case 0x61...0x66: digit = character - 0x61 + 10
            case 0x41...0x46: digit = character - 0x41 + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }
}
