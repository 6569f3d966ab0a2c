package import Vocabulary

/// Whom and what each local user has blocked. In memory whole: it is asked for every event that comes in.
package struct BlockList: Sendable {
    private struct Blocked: Sendable {
        var users: Set<UserID>
        var conversations: Set<ConversationKey>
        var count: Int { users.count + conversations.count }
    }

    private var byUser: [UserID: Blocked] = [:]
    private var total = 0
    /// Rows that do not decode.
    package private(set) var unreadable = 0

    /// - Parameter rows: of `StoreTable.blocked`.
    package init(rows: [(key: [UInt8], value: [UInt8])] = []) {
        for (key, value) in rows {
            var reader = ByteReader(value)
            guard let user = UserID(key), (try? reader.integer(UInt16.self)) == 1,
                let users = try? reader.vector(max: Limits.blockedMax, { reader throws(CodecError) in try reader.id(UserID.self) }),
                let conversations = try? reader.vector(
                    max: Limits.blockedMax, { reader throws(CodecError) in try reader.conversationKey() })
            else {
                unreadable += 1
                continue
            }
            byUser[user] = Blocked(users: Set(users), conversations: Set(conversations))
            total += byUser[user]?.count ?? 0
        }
    }

    /// Puts the list in the place of the one before.
    package mutating func set(_ users: [UserID], _ conversations: [ConversationKey], by user: UserID, writes: inout [StoreWrite])
        -> Refusal?
    {
        guard users.count <= Limits.blockedMax, conversations.count <= Limits.blockedMax else {
            return Refusal(.tooLarge, "A user may block \(Limits.blockedMax) users and as many conversations.")
        }
        let new = Blocked(users: Set(users), conversations: Set(conversations))
        let after = total - (byUser[user]?.count ?? 0) + new.count
        guard after <= Limits.blockedPerNodeMax else { return Refusal(.busy, "The node's users have blocked as much as it keeps.") }
        total = after
        byUser[user] = new.count == 0 ? nil : new
        writes.append(new.count == 0 ? .remove(.blocked, key: user.bytes) : .put(.blocked, key: user.bytes, value: Self.row(new)))
        return nil
    }

    package func blocks(_ other: UserID, for user: UserID) -> Bool { byUser[user]?.users.contains(other) ?? false }
    package func blocks(_ conversation: ConversationKey, for user: UserID) -> Bool {
        byUser[user]?.conversations.contains(conversation) ?? false
    }
    package func users(blockedBy user: UserID) -> Set<UserID> { byUser[user]?.users ?? [] }
    package var everybody: [UserID: Set<UserID>] { byUser.mapValues(\.users).filter { !$0.value.isEmpty } }
    package var isEmpty: Bool { byUser.isEmpty }

    private static func row(_ blocked: Blocked) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: blocked.users.count * 32 + blocked.conversations.count * 48 + 16)
        writer.write(UInt16(1))
        writer.write(vector: blocked.users.sorted()) { $0.write($1) }
        writer.write(vector: blocked.conversations.sorted()) { $0.write($1) }
        return writer.bytes
    }
}
