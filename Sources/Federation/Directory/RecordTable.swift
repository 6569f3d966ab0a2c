internal import Vocabulary

/// Every record of the replica, one a user, found by user, by name and by digest, and by device where the user lives here. A record costs what
/// of its bytes is not told by others, and about a hundred more.
struct RecordTable: Sendable {
    private let federation: FederationID
    private var home: NodeID
    /// The user, the numbers of issuer and home in `nodes`, then form and rest of a `PackedRecord`.
    private var heap = RecordHeap()
    private static let headBytes = 41
    /// Issuers and homes, each once.
    private var nodes: [NodeID] = []
    private var numbers: [NodeID: UInt32] = [:]
    private var byUser = SlotIndex()
    private var byName = SlotIndex()
    private var byDigest = SlotIndex()
    private var byDevice = SlotIndex()
    /// Of devices that several users who live here have listed: whose they are, as they proved it.
    private var owners: [DeviceID: UserID] = [:]
    private(set) var localUserCount = 0

    /// - Parameter home: the node whose users' devices are found.
    init(home: NodeID, in federation: FederationID) { (self.home, self.federation) = (home, federation) }

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

    var count: Int { heap.count }

    /// Makes room for so many at once: growing by doubling would leave half of it empty.
    mutating func reserve(_ count: Int) {
        heap.reserve(count)
        byUser.reserve(count)
        byName.reserve(count)
        byDigest.reserve(count)
    }

    /// - Precondition: there is none of this user.
    mutating func insert(_ packed: PackedRecord, digest: Digest) throws(CodecError) {
        let record = try StoredRecord(packed, in: federation)
        var writer = ByteWriter(reservingCapacity: packed.rest.count + Self.headBytes)
        writer.write(packed.user)
        writer.write(number(of: packed.issuer))
        writer.write(number(of: packed.home))
        writer.write(packed.form.rawValue)
        writer.write(fixed: packed.rest)
        let slot = heap.insert(writer.bytes)
        byUser.insert(hash: Self.hash(record.user), slot: slot)
        byName.insert(hash: record.nameHash, slot: slot)
        byDigest.insert(hash: Self.hash(digest), slot: slot)
        guard record.home == home else { return }
        localUserCount += 1
        for device in record.devices where (owners[device] ?? record.user) == record.user {
            byDevice.insert(hash: Self.hash(device), slot: slot)
        }
    }

    private mutating func number(of node: NodeID) -> UInt32 {
        if let known = numbers[node] { return known }
        let number = UInt32(nodes.count)
        nodes.append(node)
        numbers[node] = number
        return number
    }

    /// - Returns: what of it is needed once it is gone.
    @discardableResult
    mutating func remove(_ user: UserID) -> (item: NegentropyItem, home: NodeID)? {
        guard let slot = slot(of: user), let gone = forget(slot) else { return nil }
        heap.remove(slot)
        return gone
    }

    /// In the indices.
    private mutating func forget(_ slot: Int) -> (item: NegentropyItem, home: NodeID)? {
        guard let record = record(slot) else { return nil }
        let item = record.item
        byUser.remove(hash: Self.hash(record.user), slot: slot)
        byName.remove(hash: record.nameHash, slot: slot)
        byDigest.remove(hash: Self.hash(Digest(raw: item.id)), slot: slot)
        if record.home == home {
            localUserCount -= 1
            for device in record.devices { byDevice.remove(hash: Self.hash(device), slot: slot) }
        }
        return (item, record.home)
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

    /// Whether it is a device of this user, who lives here.
    func owns(_ device: DeviceID, _ user: UserID) -> Bool {
        byDevice.first(hash: Self.hash(device)) { slot in record(slot).map { $0.user == user && $0.lists(device) } == true } != nil
    }

    /// From here on the lists of other users who live here do not count for this device.
    mutating func settle(_ device: DeviceID, on user: UserID) {
        owners[device] = user
        let hash = Self.hash(device)
        for slot in byDevice.all(hash: hash, where: { record($0)?.lists(device) == true }) where record(slot)?.user != user {
            byDevice.remove(hash: hash, slot: slot)
        }
    }

    func isDisputed(_ device: DeviceID) -> Bool {
        byDevice.all(hash: Self.hash(device)) { record($0)?.lists(device) == true }.count > 1
    }

    func isLocal(_ device: DeviceID) -> Bool {
        byDevice.first(hash: Self.hash(device)) { record($0)?.lists(device) == true } != nil
    }

    /// Devices of the users who live here, rising.
    var localDevices: [DeviceID] { Set(all.filter { $0.home == home }.flatMap(\.devices)).sorted() }

    /// In the order of their slots.
    var all: some Sequence<StoredRecord> { heap.slots.lazy.compactMap { record($0) } }

    private func slot(of user: UserID) -> Int? {
        byUser.first(hash: Self.hash(user)) { heap[$0].flatMap { Bytes32($0.prefix(32)) } == user.raw }
    }

    private func record(_ slot: Int) -> StoredRecord? {
        guard let bytes = heap[slot] else { return nil }
        var reader = ByteReader(bytes)
        guard let user = try? reader.id(UserID.self), let issuer = try? reader.integer(UInt32.self),
            let home = try? reader.integer(UInt32.self), let form = try? reader.integer(UInt8.self)
        else { return nil }
        let packed = PackedRecord(
            user: user, issuer: nodes[Int(issuer)], home: nodes[Int(home)], form: PackedRecord.Form(rawValue: form), rest: reader.rest)
        return try? StoredRecord(packed, in: federation)
    }

    /// Swift's seeded hash: users choose their keys, and must not be able to choose where they land.
    private static func hash(_ id: some Hashable) -> UInt32 { UInt32(truncatingIfNeeded: id.hashValue) }
}
