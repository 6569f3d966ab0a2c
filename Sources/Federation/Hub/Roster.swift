internal import Vocabulary

/// The devices of a conversation, and how far each has come.
struct Roster: Sendable {
    struct Member: Sendable {
        let user: UserID
        /// By its own word.
        var through: SequenceNumber = 0
        /// The first event that is meant for it: it came with this one, or was there from the start.
        var since: SequenceNumber = 1

        /// Everything through here is on the device, or was never for it.
        var covered: SequenceNumber { max(through, since.previous) }
    }

    /// Rising.
    private(set) var entries: [RosterEntry] = []
    private var members: [DeviceID: Member] = [:]
    private(set) var userCount = 0

    init() {}

    init(_ entries: [RosterEntry], since: SequenceNumber = 1) {
        self.entries = entries.sorted()
        for entry in entries { members[entry.device] = Member(user: entry.user, since: since) }
        countUsers()
    }

    var count: Int { entries.count }
    subscript(device: DeviceID) -> Member? { members[device] }

    func contains(_ entry: RosterEntry) -> Bool { members[entry.device]?.user == entry.user }
    func entry(of device: DeviceID) -> RosterEntry? { members[device].map { RosterEntry(user: $0.user, device: device) } }

    func containsUser(_ user: UserID) -> Bool {
        let index = entries.partitioningIndex { $0.user >= user }
        return index < entries.count && entries[index].user == user
    }

    /// A user's devices.
    func devices(of user: UserID) -> ArraySlice<RosterEntry> {
        entries[entries.partitioningIndex { $0.user >= user }...].prefix { $0.user == user }
    }

    /// What nobody lacks.
    var covered: SequenceNumber { members.values.lazy.map(\.covered).min() ?? 0 }

    /// How many devices lack an event.
    func lacking(_ number: SequenceNumber) -> Int { members.values.lazy.count { $0.covered < number } }

    mutating func remove(_ gone: [RosterEntry], add new: [RosterEntry], since: SequenceNumber) {
        for entry in gone where contains(entry) {
            members[entry.device] = nil
            entries.remove(at: entries.partitioningIndex { $0 >= entry })
        }
        for entry in new where members[entry.device] == nil {
            members[entry.device] = Member(user: entry.user, since: since)
            entries.insert(entry, at: entries.partitioningIndex { $0 >= entry })
        }
        countUsers()
    }

    mutating func raise(_ device: DeviceID, through: SequenceNumber) { members[device]?.through = through }

    mutating func restore(_ device: DeviceID, row: [UInt8]) throws(CodecError) {
        var reader = ByteReader(row)
        members[device]?.through = try reader.counter()
        if !reader.isEmpty { members[device]?.since = try reader.counter() }
        try reader.finish()
    }

    func row(of device: DeviceID) -> [UInt8]? {
        guard let member = members[device] else { return nil }
        var writer = ByteWriter(reservingCapacity: 16)
        writer.write(member.through)
        writer.write(member.since)
        return writer.bytes
    }

    private mutating func countUsers() {
        var (count, last): (Int, UserID?) = (0, nil)
        for entry in entries where entry.user != last { (count, last) = (count + 1, entry.user) }
        userCount = count
    }
}

extension SequenceNumber {
    /// The one before; stays at zero.
    var previous: SequenceNumber { SequenceNumber(unchecked: value == 0 ? 0 : value - 1) }
}

extension Array {
    /// The first index for which a condition holds that holds from some index on.
    func partitioningIndex(where condition: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
