/// A statement about membership as it travels and is stored: the signed bytes, kept exactly. What they say: `Statement`.
public struct SignedStatement: Hashable, Sendable {
    public let body: [UInt8]
    public let signer: NodeID
    public let signature: Signature

    public init(body: [UInt8], signer: NodeID, signature: Signature) {
        (self.body, self.signer, self.signature) = (body, signer, signature)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: body.count + 100)
        writer.write(opaque: body)
        writer.write(signer)
        writer.write(fixed: signature.bytes)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        body = Array(try reader.opaque(max: Limits.statementBytesMax))
        signer = try reader.id()
        signature = try reader.signature()
        try reader.finish()
    }
}
