/// What is wrong with bytes that do not decode.
public enum CodecError: Error, Equatable, Sendable {
    case truncated
    case trailingBytes(Int)
    case nonMinimalLength
    case tooLong(bytes: Int, max: Int)
    case badValue(String)
}

/// Writes the presentation language of RFC 8446 §3 with the variable-length vectors of RFC 9420 §2.1.2: big-endian
/// integers, `opaque<V>` with a length of 1, 2 or 4 bytes. The one encoding for everything that is signed or stored.
public struct ByteWriter: Sendable {
    // Inlinable throughout: a generic call into another module costs more than what it writes.
    @usableFromInline var buffer: [UInt8]
    @inlinable public var bytes: [UInt8] { buffer }

    @inlinable
    public init(reservingCapacity capacity: Int = 0) {
        buffer = []
        buffer.reserveCapacity(capacity)
    }

    @inlinable
    public mutating func write<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { buffer.append(contentsOf: $0) }
    }

    /// The bytes as they are, without a length.
    @inlinable
    public mutating func write(fixed value: some Sequence<UInt8>) { buffer.append(contentsOf: value) }

    /// `opaque value<V>`. A length of 2^30 or more cannot be written; our own data never is.
    @inlinable
    public mutating func write(opaque value: some Collection<UInt8>) {
        write(length: value.count)
        buffer.append(contentsOf: value)
    }

    public mutating func write(text: String) { write(opaque: Array(text.utf8)) }
    @inlinable public mutating func write(_ id: some Identifier32) { id.raw.withMemory { buffer.append(contentsOf: $0) } }
    @inlinable public mutating func write(_ id: some Identifier16) { id.raw.withMemory { buffer.append(contentsOf: $0) } }
    @inlinable public mutating func write(_ counter: some Counter) { write(counter.value) }

    /// `T items<V>`: the length is that of the encoded items, in bytes.
    @inlinable
    public mutating func write<T>(vector items: some Sequence<T>, _ each: (inout ByteWriter, T) -> Void) {
        var inner = ByteWriter()
        for item in items { each(&inner, item) }
        write(opaque: inner.bytes)
    }

    /// `optional<T>`: 0, or 1 and the value (RFC 9420 §2.1.1).
    @inlinable
    public mutating func write<T>(optional value: T?, _ some: (inout ByteWriter, T) -> Void) {
        guard let value else { return write(UInt8(0)) }
        write(UInt8(1))
        some(&self, value)
    }

    /// The variable-length integer of RFC 9420 §2.1.2 (RFC 9000 §16 without its 8-byte form).
    @inlinable
    public mutating func write(length: Int) {
        precondition(length >= 0 && length < 1 << 30, "a vector of \(length) bytes")
        if length < 1 << 6 {
            write(UInt8(length))
        } else if length < 1 << 14 {
            write(UInt16(length) | 0x4000)
        } else {
            write(UInt32(length) | 0x8000_0000)
        }
    }
}

/// Reads what `ByteWriter` writes, from bytes of any origin: allocates no more than it is given and never traps.
public struct ByteReader: Sendable {
    @usableFromInline var remaining: ArraySlice<UInt8>
    @inlinable public var rest: ArraySlice<UInt8> { remaining }

    @inlinable public init(_ bytes: [UInt8]) { remaining = bytes[...] }
    @inlinable public init(_ bytes: ArraySlice<UInt8>) { remaining = bytes }

    @inlinable public var isEmpty: Bool { remaining.isEmpty }

    @inlinable
    public mutating func fixed(_ count: Int) throws(CodecError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining.count else { throw .truncated }
        let slice = remaining.prefix(count)
        remaining = remaining.dropFirst(count)
        return slice
    }

    @inlinable
    public mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self) throws(CodecError) -> T {
        var value: T = 0
        // The shift is by a whole byte: for UInt8 `<< 8` is a smart shift that yields 0, as wanted.
        for byte in try fixed(T.bitWidth / 8) { value = value << 8 | T(byte) }
        return value
    }

    /// - Parameter max: bytes; more is refused before anything is read.
    @inlinable
    public mutating func opaque(max: Int = .max) throws(CodecError) -> ArraySlice<UInt8> {
        let count = try length()
        guard count <= max else { throw .tooLong(bytes: count, max: max) }
        return try fixed(count)
    }

    /// Strict UTF-8.
    public mutating func text(max: Int) throws(CodecError) -> String {
        guard let text = String(validating: try opaque(max: max), as: UTF8.self) else { throw .badValue("UTF-8") }
        return text
    }

    @inlinable
    public mutating func id<T: Identifier32>(_: T.Type = T.self) throws(CodecError) -> T {
        guard let raw = Bytes32(try fixed(32)) else { throw .truncated }
        return T(raw: raw)
    }

    @inlinable
    public mutating func id<T: Identifier16>(_: T.Type = T.self) throws(CodecError) -> T {
        guard let raw = Bytes16(try fixed(16)) else { throw .truncated }
        return T(raw: raw)
    }

    @inlinable
    public mutating func counter<T: Counter>(_: T.Type = T.self) throws(CodecError) -> T {
        guard let counter = T(try integer(UInt64.self)) else { throw .badValue("a counter above 2^53") }
        return counter
    }

    @inlinable
    public mutating func vector<T>(
        max: Int = .max, _ each: (inout ByteReader) throws(CodecError) -> T
    ) throws(CodecError) -> [T] {
        var inner = ByteReader(try opaque())
        var items: [T] = []
        while !inner.isEmpty {
            guard items.count < max else { throw .tooLong(bytes: items.count + 1, max: max) }
            let before = inner.rest.count
            items.append(try each(&inner))
            // An item of no bytes would never end the loop.
            guard inner.rest.count < before else { throw .badValue("an empty item") }
        }
        return items
    }

    @inlinable
    public mutating func optional<T>(_ some: (inout ByteReader) throws(CodecError) -> T) throws(CodecError) -> T? {
        switch try integer(UInt8.self) {
        case 0: return nil
        case 1: return try some(&self)
        default: throw .badValue("an optional's presence byte")
        }
    }

    /// The shortest form only (RFC 9420 §2.1.2).
    @inlinable
    public mutating func length() throws(CodecError) -> Int {
        let first = try integer(UInt8.self)
        let extra: Int
        switch first >> 6 {
        case 0: return Int(first)
        case 1: extra = 1
        case 2: extra = 3
        default: throw .badValue("a length prefix of 0b11")
        }
        var value = Int(first & 0x3f)
        for byte in try fixed(extra) { value = value << 8 | Int(byte) }
        guard value >= (extra == 1 ? 1 << 6 : 1 << 14) else { throw .nonMinimalLength }
        return value
    }

    public func finish() throws(CodecError) {
        guard rest.isEmpty else { throw .trailingBytes(rest.count) }
    }
}
