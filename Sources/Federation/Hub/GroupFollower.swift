internal import Groups
internal import MLS
internal import Vocabulary

/// The MLS group of a conversation, as its hub follows it: the public part alone, without any secret. Between handshakes only its records
/// are kept, an eighth of the memory that the group itself takes; messages need no more than the epoch.
struct GroupFollower: Sendable {
    let epoch: Epoch
    /// The newest GroupInfo: an MLSMessage.
    let info: [UInt8]
    private let records: [UInt8]
    private let group: PublicGroup?

    /// A group of so many leaves or more stays ready: to restore it costs more than a millisecond.
    private static let readyLeaves = 100

    init(_ group: PublicGroup, info: [UInt8]) {
        epoch = Epoch(unchecked: min(group.epoch, counterMax))
        self.info = info
        records = group.stored.encoded
        self.group = group.memberCount >= Self.readyLeaves ? group : nil
    }

    /// - Returns: also whose leaves the group has.
    static func restored(row: [UInt8]) throws -> (follower: GroupFollower, roster: [RosterEntry]) {
        var reader = ByteReader(row)
        guard try reader.integer(UInt16.self) == 1 else { throw CodecError.badValue("the format of a stored group") }
        let info = Array(try reader.opaque())
        let group = try PublicGroup(restoring: StoredGroup(blob: Array(try reader.opaque())))
        try reader.finish()
        return (GroupFollower(group, info: info), group.roster)
    }

    var row: [UInt8] {
        var writer = ByteWriter(reservingCapacity: info.count + records.count + 16)
        writer.write(UInt16(1))
        writer.write(opaque: info)
        writer.write(opaque: records)
        return writer.bytes
    }

    var weight: Int { info.count + records.count * (group == nil ? 1 : 8) }

    func ready() throws -> PublicGroup { if let group { group } else { try PublicGroup(restoring: StoredGroup(blob: records)) } }
}

extension PublicGroup {
    func entry(_ leaf: UInt32) -> RosterEntry? { member(leaf).flatMap { MemberLeaf.entry(of: $0) } }
    var roster: [RosterEntry] { members.compactMap { MemberLeaf.entry(of: $0.leaf) } }
    var memberCount: Int { members.count }
}
