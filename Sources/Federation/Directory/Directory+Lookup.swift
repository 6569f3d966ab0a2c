public import Vocabulary

/// A question at an issuer.
struct PendingLookup: Equatable {
    let caller: RequestID
    let address: Address
    let issuer: NodeID
    let deadline: Instant
}

/// One path for every look-up: the replica, then the issuer.
extension Directory {
    mutating func lookUp(_ request: RequestID, _ address: Address, issuer: NodeID, at now: Instant) {
        if let user = user(handle: address.handle, issuer: issuer), let record = signedRecord(of: user) {
            return out.append(.found(request, record))
        }
        guard issuer != node else { return out.append(.notFound(request, .unknown)) }
        guard linked.contains(issuer) else { return out.append(.notFound(request, .unreachable)) }
        guard lookups.count < Limits.lookupsPendingMax else { return out.append(.notFound(request, .busy)) }
        let id = RequestID(nextLookup)
        nextLookup += 1
        lookups[id] = PendingLookup(caller: request, address: address, issuer: issuer, deadline: now + Limits.lookupTimeout)
        out.append(.send(issuer, .lookup(id, .address(address))))
    }

    /// A peer asks us as the issuer: an address in its question is one of ours, whatever name it knows us by.
    mutating func answer(_ request: RequestID, _ key: LookupKey, to peer: NodeID) {
        let user: UserID? =
            switch key {
            case .user(let user): user
            case .address(let address): self.user(handle: address.handle, issuer: node)
            }
        out.append(.send(peer, .found(request, user.flatMap(signedRecord(of:)))))
    }

    /// The answer is checked like any record, and means what the replica then says.
    mutating func received(answer record: SignedUserRecord?, to id: RequestID, from peer: NodeID) {
        guard let lookup = lookups[id], lookup.issuer == peer else { return refuse(.unasked, from: peer) }
        lookups[id] = nil
        if let record { _ = accept(record, origin: .asked(peer)) }
        if let user = user(handle: lookup.address.handle, issuer: peer), let found = signedRecord(of: user) {
            out.append(.found(lookup.caller, found))
        } else {
            out.append(.notFound(lookup.caller, .unknown))
        }
    }

    mutating func expireLookups(at now: Instant) { fail { $0.deadline <= now } }
    mutating func failLookups(to peer: NodeID) { fail { $0.issuer == peer } }

    private mutating func fail(where isLost: (PendingLookup) -> Bool) {
        for id in lookups.filter({ isLost($0.value) }).keys.sorted() {
            guard let lookup = lookups.removeValue(forKey: id) else { continue }
            out.append(.notFound(lookup.caller, .unreachable))
        }
    }

    // MARK: What the node asks its replica

    public var userCount: Int { table.count }
    public var equivocationCount: Int { proofs.count }

    public func signedRecord(of user: UserID) -> SignedUserRecord? { table[user]?.signed }
    public func record(of user: UserID) -> UserRecord? { table[user]?.decoded }
    public func home(of user: UserID) -> NodeID? { table[user]?.home }
    /// Both records that prove it, if the user's key is known to cheat.
    public func equivocation(of user: UserID) -> (SignedUserRecord, SignedUserRecord)? { proofs[user] }

    /// Whose a name is: of several users with a valid certificate for it, the one with the lowest id, on every node.
    public func user(handle: Handle, issuer: NodeID) -> UserID? { table.users(handle: handle, issuer: issuer).first }

    /// Whether it is a device of a user who lives here.
    public func isLocal(_ device: DeviceID) -> Bool { table.isLocal(device) }
    func user(ofLocal device: DeviceID) -> UserID? { table.user(ofLocal: device) }
    /// Whether it is this user's, who lives here: another one may have listed it, too.
    func owns(_ device: DeviceID, _ user: UserID) -> Bool { table.owns(device, user) }
    var localDevices: [DeviceID] { table.localDevices }

    static let ownerKey = Array("device ".utf8)

    /// Home rules keep two users here from listing one device; what comes back to a restored node, or was taken by an earlier version, may.
    mutating func proven(_ device: DeviceID, of user: UserID) {
        guard table.isDisputed(device), table.owns(device, user) else { return }
        table.settle(device, on: user)
        out.append(.write(.put(.meta, key: Self.ownerKey + device.bytes, value: user.bytes)))
    }
    var localUserCount: Int { table.localUserCount }

    /// Every record, or those of one home, by issuer, handle and user: for people, not for a hot path.
    public func records(at home: NodeID? = nil) -> [UserRecord] {
        let records = table.all.filter { home == nil || $0.home == home }.compactMap(\.decoded)
        return records.sorted { ($0.issuer, $0.handle, $0.user) < ($1.issuer, $1.handle, $1.user) }
    }
}
