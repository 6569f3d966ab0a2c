internal import Vocabulary

/// Writes Protocol Buffers by hand, for the few frames that a busy node handles all the time. The bytes are those of the generated code:
/// fields by rising number, none with its default value.
struct FrequentWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    // MARK: Sizes, since a message's length goes before it. Field numbers are below 16: a tag is one byte.

    static func varint(_ value: UInt64) -> Int { value < 0x80 ? 1 : (70 - value.leadingZeroBitCount) / 7 }
    static func field(_ value: UInt64) -> Int { value == 0 ? 0 : 1 + varint(value) }
    static func field(bytes count: Int) -> Int { count == 0 ? 0 : message(count) }
    static func message(_ count: Int) -> Int { 1 + varint(UInt64(count)) + count }

    // MARK: Fields

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func field(_ number: UInt8, _ value: UInt64) {
        guard value != 0 else { return }
        bytes.append(number << 3)
        varint(value)
    }

    /// The beginning of a message of so many bytes.
    mutating func message(_ number: UInt8, _ count: Int) {
        bytes.append(number << 3 | 2)
        varint(UInt64(count))
    }

    mutating func field(_ number: UInt8, _ value: [UInt8]) {
        guard !value.isEmpty else { return }
        message(number, value.count)
        bytes.append(contentsOf: value)
    }

    mutating func field(_ number: UInt8, _ id: some Identifier32) {
        message(number, 32)
        id.raw.withMemory { bytes.append(contentsOf: $0) }
    }

    mutating func field(_ number: UInt8, _ id: some Identifier16) {
        message(number, 16)
        id.raw.withMemory { bytes.append(contentsOf: $0) }
    }
}

/// Reads what `FrequentWriter` writes. Whatever is not exactly so, right or wrong, is left to the generated code.
struct FrequentReader {
    struct Other: Error {}

    private let bytes: UnsafeRawBufferPointer
    private var next: Int
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer) { (self.bytes, next, end) = (bytes, 0, bytes.count) }
    private init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        (self.bytes, next, end) = (bytes, range.lowerBound, range.upperBound)
    }

    /// The number of the length-delimited field that comes next; nil at the end, or for another kind.
    var nextMessage: UInt8? { next < end && bytes[next] & 7 == 2 ? bytes[next] >> 3 : nil }

    private mutating func varint() throws(Other) -> UInt64 {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while next < end, shift < 63 {
            let byte = bytes[next]
            next += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw Other()
    }

    /// 0 where the field is absent.
    mutating func integer(_ number: UInt8) throws(Other) -> UInt64 {
        guard next < end, bytes[next] == number << 3 else { return 0 }
        next += 1
        return try varint()
    }

    mutating func counter<T: Counter>(_ number: UInt8, _: T.Type = T.self) throws(Other) -> T {
        guard let counter = T(try integer(number)) else { throw Other() }
        return counter
    }

    private mutating func range(_ number: UInt8) throws(Other) -> Range<Int> {
        guard next < end, bytes[next] == number << 3 | 2 else { throw Other() }
        next += 1
        guard let count = Int(exactly: try varint()), count <= end - next else { throw Other() }
        defer { next += count }
        return next..<next + count
    }

    mutating func message(_ number: UInt8) throws(Other) -> FrequentReader { FrequentReader(bytes, try range(number)) }

    private mutating func memory(_ number: UInt8) throws(Other) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[try range(number)])
    }

    /// Empty where the field is absent.
    mutating func opaque(_ number: UInt8, max: Int) throws(Other) -> [UInt8] {
        guard next < end, bytes[next] == number << 3 | 2 else { return [] }
        let part = try memory(number)
        guard part.count <= max else { throw Other() }
        return Array(part)
    }

    mutating func id<T: Identifier32>(_ number: UInt8) throws(Other) -> T {
        guard let raw = Bytes32(memory: try memory(number)) else { throw Other() }
        return T(raw: raw)
    }

    mutating func id<T: Identifier16>(_ number: UInt8) throws(Other) -> T {
        guard let raw = Bytes16(memory: try memory(number)) else { throw Other() }
        return T(raw: raw)
    }

    mutating func ids<T: Identifier32>(_ number: UInt8, max: Int) throws(Other) -> [T] {
        var found: [T] = []
        while nextMessage == number {
            guard found.count < max else { throw Other() }
            found.append(try id(number))
        }
        return found
    }

    mutating func signature(_ number: UInt8) throws(Other) -> Signature {
        guard let signature = Signature(Array(try memory(number))) else { throw Other() }
        return signature
    }

    /// Nothing may be left.
    func finish<T>(_ value: T) throws(Other) -> T {
        guard next == end else { throw Other() }
        return value
    }
}
