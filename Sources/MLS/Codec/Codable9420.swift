internal import Cryptography
package import Vocabulary

/// A structure of RFC 9420's presentation language (§2.1).
package protocol WireCodable: Sendable {
    func write(to writer: inout ByteWriter)
    init(from reader: inout ByteReader) throws(CodecError)
}

extension WireCodable {
    package var encoded: [UInt8] {
        var writer = ByteWriter()
        write(to: &writer)
        return writer.bytes
    }

    /// The whole of the bytes, no more and no less.
    package init(exactly bytes: [UInt8]) throws(MLSError) {
        do throws(CodecError) {
            var reader = ByteReader(bytes)
            self = try Self(from: &reader)
            try reader.finish()
        } catch { throw .malformed(error) }
    }
}

extension ByteWriter {
    package mutating func write(_ value: some WireCodable) { value.write(to: &self) }
    package mutating func write(list items: [some WireCodable]) {
        write(vector: items) { writer, item in item.write(to: &writer) }
    }
    mutating func write(types: [UInt16]) {
        write(length: types.count * 2)
        for type in types { write(type) }
    }
    mutating func write(indices: [UInt32]) {
        write(length: indices.count * 4)
        for index in indices { write(index) }
    }
}

extension ByteReader {
    package mutating func value<T: WireCodable>(_: T.Type = T.self) throws(CodecError) -> T { try T(from: &self) }
    package mutating func list<T: WireCodable>(_: T.Type = T.self) throws(CodecError) -> [T] {
        try vector { (reader) throws(CodecError) in try T(from: &reader) }
    }
    mutating func bytes() throws(CodecError) -> [UInt8] { Array(try opaque()) }
    mutating func types() throws(CodecError) -> [UInt16] {
        var inner = ByteReader(try opaque())
        var types: [UInt16] = []
        types.reserveCapacity(inner.rest.count / 2)
        while !inner.isEmpty { types.append(try inner.integer()) }
        return types
    }
    mutating func indices() throws(CodecError) -> [UInt32] {
        var inner = ByteReader(try opaque())
        var indices: [UInt32] = []
        indices.reserveCapacity(inner.rest.count / 4)
        while !inner.isEmpty { indices.append(try inner.integer()) }
        return indices
    }

    /// What has been read since `start` was the rest.
    func consumed(since start: ArraySlice<UInt8>) -> ArraySlice<UInt8> { start.prefix(start.count - rest.count) }
}

/// Decoding inside a function that throws rules.
func decoding<T>(_ body: () throws(CodecError) -> T) throws(MLSError) -> T {
    do { return try body() } catch { throw .malformed(error) }
}

/// A primitive's refusal inside a function that throws rules; `what` is the key or box at fault.
func crypto<T>(_ what: String, _ body: () throws(CryptoError) -> T) throws(MLSError) -> T {
    do { return try body() } catch { throw .badKey(what) }
}
