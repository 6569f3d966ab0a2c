package import Vocabulary

/// Who a member says it is (RFC 9420 §5.3). Only the identity check of the caller makes it more than a claim.
public enum Credential: Hashable, Sendable, WireCodable {
    case basic([UInt8])
    /// DER certificates, the end entity's first.
    case x509([[UInt8]])

    public static let basicType: UInt16 = 1
    public static let x509Type: UInt16 = 2

    public var type: UInt16 {
        switch self {
        case .basic: Self.basicType
        case .x509: Self.x509Type
        }
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(type)
        switch self {
        case .basic(let identity): writer.write(opaque: identity)
        case .x509(let certificates): writer.write(vector: certificates) { writer, der in writer.write(opaque: der) }
        }
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        switch try reader.integer(UInt16.self) {
        case Self.basicType: self = .basic(try reader.bytes())
        case Self.x509Type: self = .x509(try reader.vector { (reader) throws(CodecError) in try reader.bytes() })
        default: throw .badValue("a credential type")
        }
    }
}

/// A party outside that may propose (RFC 9420 §12.1.8.1).
public struct ExternalSender: Hashable, Sendable, WireCodable {
    public let signatureKey: [UInt8]
    public let credential: Credential

    public init(signatureKey: [UInt8], credential: Credential) {
        (self.signatureKey, self.credential) = (signatureKey, credential)
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(opaque: signatureKey)
        writer.write(credential)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        signatureKey = try reader.bytes()
        credential = try reader.value()
    }
}
