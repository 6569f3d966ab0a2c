internal import Cryptography
internal import Vocabulary

/// Who sent a record: that decides what an old one means, never what a new one is worth.
enum RecordOrigin: Equatable {
    case own
    /// Shown by its user, and signed by this node before it was restored from a backup.
    case returned
    /// Sent of the peer's own accord, as fresh.
    case pushed(NodeID)
    /// Asked for, by digest or name.
    case asked(NodeID)

    var peer: NodeID? {
        switch self {
        case .own, .returned: nil
        case .pushed(let peer), .asked(let peer): peer
        }
    }
}

extension Directory {
    /// Checks one record, and stores it if it is the newest of its user.
    /// - Returns: whether it is news.
    mutating func accept(_ signed: SignedUserRecord, origin: RecordOrigin) -> Bool {
        accept(signed, signed.digest, origin) { [federation] in
            RecordJudgements.judge(signed, in: federation, checking: origin.peer == nil ? .all : .binding)
        }
    }

    /// - Parameter verdict: asked for only if the record is not known.
    mutating func accept(
        _ signed: SignedUserRecord, _ digest: Digest, _ origin: RecordOrigin, verdict: () -> RecordJudgements.Verdict
    ) -> Bool {
        // Before any signature is checked.
        guard table[digest] == nil else { return false }
        let record: UserRecord
        switch verdict() {
        case .success(let sound): record = sound
        case .failure(let refusal):
            refuse(refusal, from: origin.peer)
            return false
        }
        if let (first, second) = proofs[record.user] {
            refuse(.equivocated, from: origin.peer)
            if let peer = origin.peer { out.append(.send(peer, .equivocation(first, second))) }
            return false
        }
        if let refusal = refusal(ofMembersIn: record) ?? refusal(ofPlaceOf: record, digest, signed, origin) {
            refuse(refusal, from: origin.peer)
            return false
        }
        guard let packed = try? PackedRecord(signed, in: federation), supersedes(record, digest, origin), makeRoom(for: record, origin)
        else { return false }
        return store(packed, of: record, digest)
    }

    private func refusal(ofMembersIn record: UserRecord) -> DirectoryRefusal? {
        guard active.contains(record.issuer) || expelled.contains(record.issuer) else { return .unknownMember }
        if active.contains(record.home) { return nil }
        return expelled.contains(record.home) ? .expelledHome : .unknownMember
    }

    /// The history of the user: the highest version wins, and each names the one before it.
    private mutating func refusal(
        ofPlaceOf record: UserRecord, _ digest: Digest, _ signed: SignedUserRecord, _ origin: RecordOrigin
    ) -> DirectoryRefusal? {
        guard let held = table[record.user] else { return nil }
        if Self.contradict(record, digest, held.version, held.digest, held.previous) {
            // A user of our own has only asked for it: refusing is enough, and the record held goes on.
            guard origin.peer != nil else { return .stale }
            if let other = held.signed { convict(record.user, other, signed) }
            return .equivocated
        }
        guard record.version < held.version else { return nil }
        switch origin {
        case .own, .returned: return .stale
        case .pushed: return .rolledBack
        case .asked: return nil
        }
    }

    private func supersedes(_ record: UserRecord, _ digest: Digest, _ origin: RecordOrigin) -> Bool {
        table[record.user].map { $0.version < record.version } ?? true
    }

    /// Two records that no honest key signs both: of one version, or of adjacent ones of which the later names another predecessor.
    static func contradict(
        _ record: UserRecord, _ digest: Digest, _ version: UInt64, _ otherDigest: Digest, _ otherPrevious: Digest
    ) -> Bool {
        guard digest != otherDigest else { return false }
        if record.version == version { return true }
        if record.version == version + 1 { return record.previous != otherDigest }
        if record.version + 1 == version { return otherPrevious != digest }
        return false
    }

    /// Bounds on what issuers can make every node keep.
    private mutating func makeRoom(for record: UserRecord, _ origin: RecordOrigin) -> Bool {
        let rivals = table.users(handle: record.handle, issuer: record.issuer).filter { $0 != record.user }
        if let highest = rivals.last {
            out.append(.note(.handleConflict(issuer: record.issuer)))
            // One who returns was first: others have the name since this node forgot that.
            if origin == .own, table[record.user] == nil {
                refuse(.handleConflict, from: nil)
                return false
            }
            if rivals.count >= Limits.usersPerHandleMax {
                guard record.user < highest else {
                    refuse(.handleConflict, from: origin.peer)
                    return false
                }
                drop(highest)
            }
        }
        guard table[record.user] != nil || table.count < Limits.userRecordsMax else {
            refuse(.full, from: origin.peer)
            return false
        }
        return true
    }

    private mutating func store(_ packed: PackedRecord, of record: UserRecord, _ digest: Digest) -> Bool {
        if let held = table[record.user], held.issuer != record.issuer || !held.isCalled(record.handle) { nameLeft(held) }
        let devices = localDevices(of: record.user)
        let before = table.remove(record.user)
        if let before { items.remove(before.item) }
        guard (try? table.insert(packed, digest: digest)) != nil else { return false }
        items.insert(NegentropyItem(timestamp: record.published, id: digest.raw))
        out.append(.write(.put(.userRecord, key: record.user.bytes, value: packed.row)))
        out.append(.changed(record.user, from: before?.home, to: record.home))
        left(devices, of: record.user)
        return true
    }

    private func localDevices(of user: UserID) -> [DeviceID] {
        guard let held = table[user], held.home == node else { return [] }
        return held.devices
    }

    /// Those of them that nobody here has any more.
    private mutating func left(_ devices: [DeviceID], of user: UserID) {
        let gone = devices.filter { !table.isLocal($0) }
        if !gone.isEmpty { out.append(.left(gone, of: user)) }
    }

    /// Removes a user's record for good.
    mutating func drop(_ user: UserID) {
        if let held = table[user] { nameLeft(held) }
        let devices = localDevices(of: user)
        guard let record = table.remove(user) else { return }
        items.remove(record.item)
        out.append(.write(.remove(.userRecord, key: user.bytes)))
        out.append(.changed(user, from: record.home, to: nil))
        left(devices, of: user)
    }

    /// Its certificate is good for ever.
    private mutating func nameLeft(_ record: StoredRecord) {
        guard record.issuer == node, let handle = record.decoded?.handle else { return }
        out.append(.nameLeft(handle, by: record.user))
    }
}
