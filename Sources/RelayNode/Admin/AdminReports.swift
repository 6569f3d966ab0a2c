// What the admin socket answers, as JSON. Fields are only ever added.

package struct MembersAnswer: Codable, Sendable {
    package struct Member: Codable, Sendable {
        package let v: Int
        package let name: String
        /// 64 hex digits.
        package let id: String
        package let short: String
        package let role: String
        /// self, alive, suspect, dead, expelled, unknown or name-conflict.
        package let state: String
        package let seenSecondsAgo: Double?
        package let rttMilliseconds: Double?
        package let queued: Int
        package let version: String?
        package let peers: [String]
        /// Why it was expelled, as the admin who did it wrote.
        package let reason: String?
        /// The node that answers.
        package let isSelf: Bool
    }

    package let members: [Member]
}

package struct UsersAnswer: Codable, Sendable {
    package struct User: Codable, Sendable {
        package let v: Int
        package let address: String
        package let user: String
        package let home: String
        package let homeId: String
        package let devices: [String]
        package let version: UInt64
        /// One-time KeyPackages of all devices that are left; of a user of this node that was asked for alone.
        package let keyPackages: Int?
    }

    package let users: [User]
}

package struct QueuesAnswer: Codable, Sendable {
    package struct Queue: Codable, Sendable {
        package let v: Int
        /// A node's name, or the address of the user whose device it is.
        package let waitsFor: String
        /// 64 hex digits; of a node's queue none.
        package let device: String?
        package let entries: Int
        package let bytes: Int
        package let oldestSeconds: Double?
    }

    /// On whose account what is kept stands; what was there when the node started is on nobody's.
    package struct Cause: Codable, Sendable {
        package let v: Int
        /// A node's name, or a user's address.
        package let causedBy: String
        package let isNode: Bool
        package let queueBytes: Int
        package let logBytes: Int
    }

    package let queues: [Queue]
    package let causes: [Cause]
}

package struct TextAnswer: Codable, Sendable {
    package let text: String
}

package struct StatusAnswer: Codable, Sendable {
    package let v: Int
    package let name: String
    package let id: String
    package let federation: String
    package let federationId: String
    package let role: String
    package let software: String
    package let clients: String?
    package let peersAddress: String?
    package let users: Int
    package let usersKnown: Int
    package let sessions: Int
    package let queuedMessages: Int
    package let queuedBytes: Int
    package let logReaders: Int?
    package let oldestSeconds: Double?
    package let peers: Int
    package let members: Int
    package let storeBytes: Int
    package let freeBytes: Int?
    package let commits: Int
    package let commitMillisecondsP50: Double?
    package let commitMillisecondsP99: Double?
    package let upTimeSeconds: UInt64
    package let refusingForSpace: Bool
    /// Conversations that are being taken up after a restoration from a backup; `takingUp`: there may be more.
    package let recovering: Int
    package let takingUp: Bool
    /// The last restoration, in milliseconds since 1970.
    package let restored: UInt64?
    package let backupUnderWay: Bool
    /// Rows of the store that did not open since the start, by table.
    package let damagedRows: [String: Int]
    package let counters: [String: Int]
}

package struct ErrorAnswer: Codable, Sendable {
    package let what, why, remedy: String
}

package struct BackupAnswer: Codable, Sendable {
    package let bytes: Int
}

// What it is asked, where a path alone does not say it.

package struct TicketQuestion: Codable, Sendable {
    package let name: String
    package let expiresSeconds: Int
    package let admin: Bool
    package init(name: String, expiresSeconds: Int, admin: Bool) {
        (self.name, self.expiresSeconds, self.admin) = (name, expiresSeconds, admin)
    }
}

package struct InvitationQuestion: Codable, Sendable {
    package let uses: Int
    package let expiresSeconds: Int
    package init(uses: Int, expiresSeconds: Int) { (self.uses, self.expiresSeconds) = (uses, expiresSeconds) }
}

package struct ExpelQuestion: Codable, Sendable {
    package let name: String
    package let reason: String
    package init(name: String, reason: String) { (self.name, self.reason) = (name, reason) }
}
