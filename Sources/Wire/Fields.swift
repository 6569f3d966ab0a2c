internal import SwiftProtobuf
internal import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

// How one field is read and checked, and written. The names are those of the `.proto` files: they reach the author of the other side.

/// Deepest that our frames go: link frame, entry, submission, create, roster entry. Deeper is refused, not recursed into.
private let messageDepthMax = 8

extension SwiftProtobuf.Message {
    /// Unknown fields are dropped as they are read: nothing is passed on decoded, and they cost no memory.
    static func read(_ bytes: [UInt8]) throws(WireError) -> Self {
        guard bytes.count <= Limits.frameBytesMax else { throw .tooLarge(bytes: bytes.count, max: Limits.frameBytesMax) }
        // An empty message is a frame without a kind; one with unknown content only is a newer kind.
        guard !bytes.isEmpty else { throw .missing("frame") }
        var options = BinaryDecodingOptions()
        options.messageDepthLimit = messageDepthMax
        options.discardUnknownFields = true
        do { return try Self(serializedBytes: bytes, partial: true, options: options) } catch { throw .undecodable }
    }

    /// Fails for 2 GiB or more only, which no bounded frame reaches.
    func written() -> [UInt8] {
        guard let bytes: [UInt8] = try? serializedBytes(partial: true) else { preconditionFailure("a frame of 2 GiB") }
        return bytes
    }
}

extension Data {
    func id<T: Identifier32>(_ field: String, _: T.Type = T.self) throws(WireError) -> T {
        T(raw: try bytes32(field))
    }

    func id<T: Identifier16>(_ field: String, _: T.Type = T.self) throws(WireError) -> T {
        guard count != 0 else { throw .missing(field) }
        guard let raw = withUnsafeBytes({ Bytes16(memory: $0) }) else { throw .badValue(field) }
        return T(raw: raw)
    }

    func bytes32(_ field: String) throws(WireError) -> Bytes32 {
        guard count != 0 else { throw .missing(field) }
        guard let raw = withUnsafeBytes({ Bytes32(memory: $0) }) else { throw .badValue(field) }
        return raw
    }

    func signature(_ field: String) throws(WireError) -> Signature {
        guard count != 0 else { throw .missing(field) }
        guard let signature = Signature(Array(self)) else { throw .badValue(field) }
        return signature
    }

    /// May be empty.
    func opaque(_ field: String, max: Int) throws(WireError) -> [UInt8] {
        guard count <= max else { throw .badValue(field) }
        return Array(self)
    }

    /// What is nothing without content.
    func content(_ field: String, max: Int) throws(WireError) -> [UInt8] {
        guard count != 0 else { throw .missing(field) }
        return try opaque(field, max: max)
    }

    init(_ id: some Identifier32) { self.init(id.raw) }
    init(_ raw: Bytes32) { self = raw.withMemory { Data($0) } }
    init(_ id: some Identifier16) { self = id.raw.withMemory { Data($0) } }
    init(_ signature: Signature) { self.init(signature.bytes) }
}

extension UInt64 {
    func counter<T: Counter>(_ field: String, _: T.Type = T.self) throws(WireError) -> T {
        guard let counter = T(self) else { throw .badValue(field) }
        return counter
    }

    /// A count or counter without a type of its own.
    func bounded(_ field: String) throws(WireError) -> UInt64 {
        guard self <= counterMax else { throw .badValue(field) }
        return self
    }
}

extension Array {
    /// Each element converted; more than `max` is refused before any is.
    func values<T>(_ field: String, max: Int, _ each: (Element) throws(WireError) -> T) throws(WireError) -> [T] {
        guard count <= max else { throw .badValue(field) }
        var values: [T] = []
        values.reserveCapacity(count)
        for element in self { values.append(try each(element)) }
        return values
    }
}

extension [Data] {
    /// Ids, at most `max` of them.
    func ids<T: Identifier32>(_ field: String, max: Int) throws(WireError) -> [T] {
        try values(field, max: max) { id throws(WireError) in try id.id(field) }
    }

    /// - Parameter each: bytes of one, which is not empty.
    func contents(_ field: String, max: Int, each: Int) throws(WireError) -> [[UInt8]] {
        try values(field, max: max) { bytes throws(WireError) in try bytes.content(field, max: each) }
    }
}

/// Which conversation, from the two fields that every message of one has.
func conversationKey(_ hub: Data, _ conversation: Data, of message: String) throws(WireError) -> ConversationKey {
    ConversationKey(hub: try hub.id("\(message).hub"), conversation: try conversation.id("\(message).conversation"))
}

/// The value of a message field, or `missing`.
func present<T>(_ value: T, _ isPresent: Bool, _ field: String) throws(WireError) -> T {
    guard isPresent else { throw .missing(field) }
    return value
}

extension String {
    func handle(_ field: String) throws(WireError) -> Handle {
        guard !isEmpty else { throw .missing(field) }
        do { return try Handle(self) } catch { throw .badValue(field) }
    }

    func nodeName(_ field: String) throws(WireError) -> NodeName {
        guard !isEmpty else { throw .missing(field) }
        do { return try NodeName(self) } catch { throw .badValue(field) }
    }

    func address(_ field: String) throws(WireError) -> Address {
        guard !isEmpty else { throw .missing(field) }
        do { return try Address(self) } catch { throw .badValue(field) }
    }
}
