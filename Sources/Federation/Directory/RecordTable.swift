internal import Vocabulary

/// Every record of the replica, one a user, found by user, by name and by digest, and by device where the user lives here. A record costs its
/// bytes and about a hundred more.
struct RecordTable: Sendable {
    private var home: NodeID
    /// Encoded records; an empty one is a free slot.
    private var rows: [[UInt8]] = []
    private var free: [Int] = []
    private var byUser = SlotIndex()
    private var byName = SlotIndex()
    private var byDigest = SlotIndex()
    private var byDevice = SlotIndex()
    private(set) var localUserCount = 0

    /// - Parameter home: the node whose users' devices are found.
    init(home: NodeID) { self.home = home }

    /// The same records as another node sees them.
    /// - Parameter users: those of them who live here.
    init(sharing other: RecordTable, home: NodeID, local users: [UserID]) {
        self = other
        self.home = home
        byDevice = SlotIndex()
        localUserCount = users.count
        for user in users {
            guard let slot = slot(of: user), let record = record(slot) else { continue }
            for device in record.devices { byDevice.insert(hash: Self.hash(device), slot: slot) }
        }
    }

    var count: Int { rows.count - free.count }

    /// - Precondition: there is none of this user.
    mutating func insert(_ record: StoredRecord, digest: Digest) {
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            rows[slot] = record.bytes
        } else {
            slot = rows.count
            rows.append(record.bytes)
        }
        byUser.insert(hash: Self.hash(record.user), slot: slot)
        byName.insert(hash: record.nameHash, slot: slot)
        byDigest.insert(hash: Self.hash(digest), slot: slot)
        guard record.home == home else { return }
        localUserCount += 1
        for device in record.devices { byDevice.insert(hash: Self.hash(device), slot: slot) }
    }

    /// - Returns: what was there.
    @discardableResult
    mutating func remove(_ user: UserID) -> StoredRecord? {
        guard let slot = slot(of: user), let record = record(slot) else { return nil }
        byUser.remove(hash: Self.hash(user), slot: slot)
        byName.remove(hash: record.nameHash, slot: slot)
        byDigest.remove(hash: Self.hash(record.digest), slot: slot)
        if record.home == home {
            localUserCount -= 1
            for device in record.devices { byDevice.remove(hash: Self.hash(device), slot: slot) }
        }
        rows[slot] = []
        free.append(slot)
        return record
    }

    subscript(user: UserID) -> StoredRecord? { slot(of: user).flatMap(record) }

    subscript(digest: Digest) -> StoredRecord? {
        byDigest.first(hash: Self.hash(digest)) { record($0)?.digest == digest }.flatMap(record)
    }

    /// Users with a certificate of this issuer for this handle, lowest id first: one, unless the issuer misbehaves.
    func users(handle: Handle, issuer: NodeID) -> [UserID] {
        let hash = StoredRecord.nameHash(issuer, handle.description.utf8)
        let slots = byName.all(hash: hash) { slot in
            guard let record = record(slot) else { return false }
            return record.issuer == issuer && record.isCalled(handle)
        }
        return slots.compactMap { record($0)?.user }.sorted()
    }

    /// Whose device it is, if its user lives here.
    func user(ofLocal device: DeviceID) -> UserID? {
        byDevice.first(hash: Self.hash(device)) { record($0)?.lists(device) == true }.flatMap(record)?.user
    }

    func isLocal(_ device: DeviceID) -> Bool {
        byDevice.first(hash: Self.hash(device)) { record($0)?.lists(device) == true } != nil
    }

    /// Devices of the users who live here, rising.
    var localDevices: [DeviceID] { Set(all.filter { $0.home == home }.flatMap(\.devices)).sorted() }

    /// In the order of their slots.
    var all: some Sequence<StoredRecord> { rows.indices.lazy.compactMap { record($0) } }

    private func slot(of user: UserID) -> Int? {
        byUser.first(hash: Self.hash(user)) { record($0)?.user == user }
    }

    private func record(_ slot: Int) -> StoredRecord? {
        rows[slot].isEmpty ? nil : try? StoredRecord(encoded: rows[slot])
    }

    /// Swift's seeded hash: users choose their keys, and must not be able to choose where they land.
    private static func hash(_ id: some Hashable) -> UInt32 { UInt32(truncatingIfNeeded: id.hashValue) }
}
