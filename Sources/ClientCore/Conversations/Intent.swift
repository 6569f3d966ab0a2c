public import Groups
public import Vocabulary

/// A change of a group that we want and that is not in it yet. Stored until a commit of ours with it was accepted, or it is refused for good.
public struct Intent: Hashable, Sendable {
    public enum Change: Hashable, Sendable {
        /// Rising.
        case add([UserID])
        case remove([UserID])
        case rename(String)
        case role(UserID, Role)
        /// Those of the group that this one goes on from: of each user once the user is in. One's own can be a lower one.
        case roles([UserID: Role])
        /// Fresh keys on our path (RFC 9420 §12.4) in place of those of our KeyPackage.
        case refresh
        case leave

        var isAdd: Bool { if case .add = self { true } else { false } }
        var isRoles: Bool { if case .roles = self { true } else { false } }
    }

    public let id: UInt64
    public var change: Change
    /// Given up then; of a refresh: due then.
    public var until: Timestamp

    func write(to writer: inout ByteWriter) {
        writer.write(id)
        writer.write(UInt64(until.milliseconds))
        switch change {
        case .add(let users):
            writer.write(UInt8(1))
            writer.write(vector: users) { $0.write($1) }
        case .remove(let users):
            writer.write(UInt8(2))
            writer.write(vector: users) { $0.write($1) }
        case .rename(let name):
            writer.write(UInt8(3))
            writer.write(text: name)
        case .role(let user, let role):
            writer.write(UInt8(4))
            writer.write(user)
            writer.write(role.rawValue)
        case .refresh: writer.write(UInt8(5))
        case .leave: writer.write(UInt8(6))
        case .roles(let roles):
            writer.write(UInt8(7))
            writer.write(vector: roles.sorted { $0.key < $1.key }) { writer, item in
                writer.write(item.key)
                writer.write(item.value.rawValue)
            }
        }
    }

    init(from reader: inout ByteReader) throws(CodecError) {
        id = try reader.integer()
        until = try reader.timestamp()
        switch try reader.integer(UInt8.self) {
        case 1: change = .add(try reader.users())
        case 2: change = .remove(try reader.users())
        case 3: change = .rename(try reader.text(max: GroupProfile.nameBytesMax))
        case 4:
            let user: UserID = try reader.id()
            guard let role = Role(rawValue: try reader.integer()) else { throw .badValue("a role") }
            change = .role(user, role)
        case 5: change = .refresh
        case 6: change = .leave
        case 7:
            let list = try reader.vector(max: GroupProfile.rolesMax + 1) { reader throws(CodecError) -> (UserID, Role) in
                let user: UserID = try reader.id()
                guard let role = Role(rawValue: try reader.integer()) else { throw .badValue("a role") }
                return (user, role)
            }
            change = .roles(Dictionary(list, uniquingKeysWith: { first, _ in first }))
        default: throw .badValue("an intent")
        }
    }

    /// Somebody whom the directory knows may be about to leave KeyPackages at home: that is waited for, a little.
    func isFresh(at wall: Timestamp) -> Bool {
        wall < until + .nanoseconds(-ClientLimits.intentLifetime.nanoseconds) + ClientLimits.claimPatience
    }

    func adds(any users: Set<UserID>) -> Bool {
        if case .add(let wanted) = change { wanted.contains(where: users.contains) } else { false }
    }

    /// With those of whom it adds that are still wanted; nil when there are none.
    func adding(only isWanted: (UserID) -> Bool) -> Intent? {
        guard case .add(let users) = change else { return self }
        let rest = users.filter(isWanted)
        return rest.isEmpty ? nil : Intent(id: id, .add(rest), until: until)
    }

    init(id: UInt64, _ change: Change, until: Timestamp) { (self.id, self.change, self.until) = (id, change, until) }
}

extension ByteReader {
    fileprivate mutating func users() throws(CodecError) -> [UserID] {
        try vector(max: Limits.rosterDevicesMax) { reader throws(CodecError) in try reader.id() }
    }
}
