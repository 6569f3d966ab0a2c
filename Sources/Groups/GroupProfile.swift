public import MLS
public import Vocabulary

/// What a user may do in a group.
public enum Role: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    case member = 1
    case admin, owner

    public static func < (x: Role, y: Role) -> Bool { x.rawValue < y.rawValue }
    public var name: String { "\(self)" }
    /// As in a sentence.
    var noun: String { self == .member ? "a member" : "an \(name)" }
    public init?(name: String) {
        guard let role = Role.allCases.first(where: { $0.name == name }) else { return nil }
        self = role
    }
}

/// What all members of a conversation agree on: an extension of the GroupContext (RFC 9420 §8.1), so that it changes by commits alone and a hub
/// cannot change it. Readable by the hub, which refuses commits that its roles forbid.
public struct GroupProfile: Hashable, Sendable {
    /// From the private range (RFC 9420 §17.3).
    public static let type: UInt16 = 0xf002
    public static let nameBytesMax = 128
    public static let rolesMax = 64

    public enum Kind: Hashable, Sendable {
        /// Of these two users, the lower id first; may be one and the same.
        case direct(UserID, UserID)
        case group
    }

    public let kind: Kind
    /// Empty for direct conversations.
    public var name: String
    /// Users above `member`, rising; one that is not on the roster has no role.
    public private(set) var roles: [UserID: Role]
    /// The lowest role that may do so.
    public var mayAdd, mayRemove, mayRename: Role
    /// Of a group that was founded in another's place; never changes.
    public var succession: Succession?

    public init(
        kind: Kind, name: String = "", roles: [UserID: Role] = [:], mayAdd: Role = .admin, mayRemove: Role = .admin,
        mayRename: Role = .admin, succession: Succession? = nil
    ) {
        (self.kind, self.name, self.succession) = (kind, name, succession)
        self.roles = roles.filter { $0.value > .member }
        (self.mayAdd, self.mayRemove, self.mayRename) = (mayAdd, mayRemove, mayRename)
    }

    public static func direct(_ one: UserID, _ other: UserID) -> GroupProfile {
        GroupProfile(kind: .direct(min(one, other), max(one, other)))
    }

    public func role(of user: UserID) -> Role { roles[user] ?? .member }
    public mutating func set(_ role: Role, of user: UserID) { roles[user] = role > .member ? role : nil }

    /// Whose role is another one in a later profile of the group, and which; of who is in it by then.
    public func changedRoles(in later: GroupProfile, among present: Set<UserID>) -> [UserID: Role] {
        var changed = later.roles.filter { role(of: $0.key) != $0.value }
        for user in roles.keys where later.role(of: user) == .member && present.contains(user) { changed[user] = .member }
        return changed
    }

    /// Whether a later profile of the group can have come about without an owner: the rules are the same, nobody is more or less than before, and
    /// of its owners one is there.
    ///
    /// - Parameter present: the users who are in it by then.
    public func isKept(in later: GroupProfile, among present: Set<UserID>) -> Bool {
        guard later.mayAdd == mayAdd, later.mayRemove == mayRemove, later.mayRename == mayRename else { return false }
        guard present.allSatisfy({ later.role(of: $0) == role(of: $0) }) else { return false }
        return !roles.values.contains(.owner) || present.contains { role(of: $0) == .owner }
    }

    public var isDirect: Bool { if case .direct = kind { true } else { false } }

    /// The other user of a direct conversation.
    public func peer(of user: UserID) -> UserID? {
        guard case .direct(let low, let high) = kind, user == low || user == high else { return nil }
        return user == low ? high : low
    }

    // MARK: As an extension

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        // What a reader of format 1 would not know is there only where it has to be.
        writer.write(UInt16(succession == nil ? 1 : 2))
        switch kind {
        case .direct(let low, let high):
            writer.write(UInt8(1))
            writer.write(low)
            writer.write(high)
        case .group: writer.write(UInt8(2))
        }
        writer.write(text: name)
        writer.write(vector: roles.sorted { $0.key < $1.key }) { writer, item in
            writer.write(item.key)
            writer.write(item.value.rawValue)
        }
        for role in [mayAdd, mayRemove, mayRename] { writer.write(role.rawValue) }
        succession?.write(to: &writer)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        let format = try reader.integer(UInt16.self)
        guard format == 1 || format == 2 else { throw .badValue("the format of a group's profile") }
        switch try reader.integer(UInt8.self) {
        case 1:
            let (low, high): (UserID, UserID) = (try reader.id(), try reader.id())
            guard low <= high else { throw .badValue("the order of two users") }
            kind = .direct(low, high)
        case 2: kind = .group
        default: throw .badValue("the kind of a conversation")
        }
        name = try reader.text(max: Self.nameBytesMax)
        let list = try reader.vector(max: Self.rolesMax) { reader throws(CodecError) -> (UserID, Role) in
            (try reader.id(), try reader.role())
        }
        roles = Dictionary(list, uniquingKeysWith: { first, _ in first })
        guard roles.count == list.count, roles.values.allSatisfy({ $0 > .member }) else { throw .badValue("a list of roles") }
        (mayAdd, mayRemove, mayRename) = (try reader.role(), try reader.role(), try reader.role())
        succession = format == 2 ? try Succession(from: &reader) : nil
        try reader.finish()
    }

    /// - Returns: nil for a group that is none of ours.
    public init?(_ extensions: [MLSExtension]) {
        guard let item = extensions[type: Self.type], let profile = try? GroupProfile(decoding: item.data) else { return nil }
        self = profile
    }

    /// The extensions of a GroupContext with this profile: the same for every conversation of ours but for the profile.
    public var groupContext: [MLSExtension] {
        [
            .requiring(RequiredCapabilities(extensions: [MemberLeaf.certificateType, Self.type])),
            MLSExtension(type: Self.type, data: encoded()),
        ]
    }
}

extension ByteReader {
    fileprivate mutating func role() throws(CodecError) -> Role {
        guard let role = Role(rawValue: try integer()) else { throw .badValue("a role") }
        return role
    }
}
