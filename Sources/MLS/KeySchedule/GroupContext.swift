package import Vocabulary

/// What all members agree on in an epoch (RFC 9420 §8.1).
public struct GroupContext: Hashable, Sendable, WireCodable {
    public internal(set) var cipherSuite: CipherSuite
    public internal(set) var groupID: [UInt8]
    public package(set) var epoch: UInt64
    public package(set) var treeHash: [UInt8]
    public internal(set) var confirmedTranscriptHash: [UInt8]
    public internal(set) var extensions: [MLSExtension]

    package init(
        cipherSuite: CipherSuite, groupID: [UInt8], epoch: UInt64, treeHash: [UInt8], confirmedTranscriptHash: [UInt8],
        extensions: [MLSExtension]
    ) {
        (self.cipherSuite, self.groupID, self.epoch) = (cipherSuite, groupID, epoch)
        (self.treeHash, self.confirmedTranscriptHash, self.extensions) = (treeHash, confirmedTranscriptHash, extensions)
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(UInt16(1))
        writer.write(cipherSuite.rawValue)
        writer.write(opaque: groupID)
        writer.write(epoch)
        writer.write(opaque: treeHash)
        writer.write(opaque: confirmedTranscriptHash)
        writer.write(list: extensions)
    }

    /// - Throws: `limitReached` at 2^53, where arithmetic ends; no honest group gets there.
    func nextEpoch() throws(MLSError) -> UInt64 {
        guard epoch < counterMax else { throw .limitReached("epochs") }
        return epoch + 1
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the version of a group context") }
        cipherSuite = CipherSuite(rawValue: try reader.integer())
        groupID = try reader.bytes()
        epoch = try reader.integer()
        treeHash = try reader.bytes()
        confirmedTranscriptHash = try reader.bytes()
        extensions = try reader.list()
    }
}
