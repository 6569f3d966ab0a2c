internal import ClientCore
internal import Cryptography
internal import Federation
internal import Vocabulary

/// What users have said of themselves since they registered, by device.
struct RenewedRecords {
    /// The newest that a user has signed.
    var signed: [Int: (version: UInt64, record: SignedUserRecord)] = [:]
    /// The newest that its home has said to have.
    var published: [UserID: UInt64] = [:]
}

// The history of users' records: each version follows the one before, and no node goes back.
extension World {
    /// No device of ours asks under it.
    private static let renewal = RequestID(.max)

    /// A user publishes the next version of its record, as a program would that has something new to say in it.
    mutating func renewRecord(of device: Int) {
        let (home, account) = (devices[device].home, devices[device].disk.account)
        guard devices[device].core?.isLive == true, nodes[home].core != nil, let wire = devices[device].wire,
            let session = session(of: device), let row = nodes[home].store.values[.userRecord]?[account.userID.bytes],
            let (held, digest) = record(in: row, of: account.userID.bytes, at: home)
        else { return }
        // What was said already, and is not there, is said again: two records of one version would be a lie.
        if renewed.signed[device].map({ $0.version <= held.version }) ?? true {
            let next = UserRecord(
                federation: held.federation, user: held.user, handle: held.handle, issuer: held.issuer,
                handleCertificate: held.handleCertificate, home: held.home, devices: held.devices, version: held.version + 1,
                previous: digest, published: wall(device: device).seconds,
                extensions: [Extension(type: 0x0a0a, data: [])])
            let body = next.encoded()
            let signature = account.identity.sign(body, for: .userRecord)
            renewed.signed[device] = (next.version, SignedUserRecord(body: body, userSignature: signature, homeSignature: nil))
        }
        guard let next = renewed.signed[device]?.record else { return }
        agenda.add(
            .node(home, life: nodes[home].life, .sessionFrame(session, .publish(Self.renewal, next))), at: arrival(on: wire, at: 0))
    }

    /// Whether it answers a renewal: that is not the device's to hear.
    mutating func answersRenewal(_ frame: NodeFrame) -> Bool {
        switch frame {
        case .published(Self.renewal, let signed):
            if let record = try? UserRecord(decoding: signed.body) { renewed.published[record.user] = record.version }
            return true
        case .refusedRequest(Self.renewal, _): return true
        default: return false
        }
    }

    private func record(in row: [UInt8], of user: [UInt8], at node: Int) -> (record: UserRecord, digest: Digest)? {
        guard let federation = nodes[node].core?.federation,
            let signed = try? PackedRecord(row: row, key: user, in: federation).signed(in: federation),
            let record = try? UserRecord(decoding: signed.body)
        else { return nil }
        return (record, signed.digest)
    }

    /// The rows that all nodes must agree on: nobody takes those of an expelled home any more (docs/protocol/directory.md §2).
    func records(at node: Int) -> [[UInt8]: [UInt8]] {
        let expelled = Set(nodes.filter(\.isExpelled).map(\.id))
        let rows = nodes[node].store.values[.userRecord] ?? [:]
        guard !expelled.isEmpty else { return rows }
        return rows.filter { user, row in record(in: row, of: user, at: node).map { !expelled.contains($0.record.home) } ?? true }
    }

    /// Users of whom these rows of the node's have less than their home has said to have.
    func outdated(_ rows: [[UInt8]: [UInt8]], at node: Int) -> Int {
        renewed.published.count { user, version in
            guard let row = rows[user.bytes] else { return false }
            return record(in: row, of: user.bytes, at: node).map { $0.record.version < version } ?? true
        }
    }

    /// What a node writes never takes the place of a newer version.
    mutating func noteRecords(_ writes: [StoreWrite], of index: Int) {
        guard recorder != nil else { return }
        var rows: [[UInt8]: [UInt8]?] = [:]
        for case (let key, let row) in writes.compactMap(\.userRecord) {
            let before = rows[key] ?? nodes[index].store.values[.userRecord]?[key]
            rows[key] = .some(row)
            guard let before, let row, let old = record(in: before, of: key, at: index), let new = record(in: row, of: key, at: index),
                new.record.version < old.record.version
            else { continue }
            recorder?.note(.gauge("records that went back", value: 1, bound: 0), of: "node\(index)", at: now)
        }
    }

    /// Planted: the version before comes from somebody who has no newer one, and is taken.
    mutating func withOlderRecords(_ writes: [StoreWrite], of index: Int) -> [StoreWrite] {
        writes.flatMap { write -> [StoreWrite] in
            guard case (let key, _?)? = write.userRecord, let before = nodes[index].store.values[.userRecord]?[key] else { return [write] }
            return [write, .put(.userRecord, key: key, value: before)]
        }
    }
}

extension StoreWrite {
    /// The user's key, and the row; nil: removed.
    fileprivate var userRecord: (key: [UInt8], row: [UInt8]?)? {
        switch self {
        case .put(.userRecord, let key, let row): (key, row)
        case .remove(.userRecord, let key): (key, nil)
        default: nil
        }
    }
}
