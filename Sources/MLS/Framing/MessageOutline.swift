internal import Vocabulary

/// What the outside of an MLSMessage shows, read without taking the rest apart or copying it: for a Delivery Service, which looks at
/// every message and opens none (RFC 9420 §6).
public struct MessageOutline: Hashable, Sendable {
    public let kind: MLSMessage.Kind
    public let group: ArraySlice<UInt8>
    public let epoch: UInt64

    /// - Returns: nil unless the bytes are one whole PrivateMessage.
    public init?(privateMessage bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        do throws(CodecError) {
            guard try reader.integer(UInt16.self) == 1, try reader.integer(UInt16.self) == WireFormat.privateMessage else { return nil }
            group = try reader.opaque()
            epoch = try reader.integer()
            kind = MLSMessage.Kind(try ContentType(from: &reader))
            // Authenticated data, sender data, ciphertext.
            for _ in 0..<3 { _ = try reader.opaque() }
            try reader.finish()
        } catch { return nil }
    }
}
