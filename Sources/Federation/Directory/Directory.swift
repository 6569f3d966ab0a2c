internal import Cryptography
public import Vocabulary

/// Which node each user lives on: a replica of every user's record, kept alike on all nodes by rumour and reconciliation.
///
/// Nothing here is believed because a peer says it: each record carries its user's, its home's and its issuer's signatures, checked
/// before it is stored and before it is passed on (`UserRecordChecks.binding`). So a replica is a cache, and no peer can do more than withhold.
/// Source: docs/protocol/directory.md.
public struct Directory: Core {
    public let node: NodeID
    public let federation: FederationID
    /// What was refused, by reason, since the start.
    public private(set) var refusals: [DirectoryRefusal: UInt64] = [:]

    var table: RecordTable
    /// What is reconciled: the records whose home is not expelled, so that nodes which never took the others agree with those that did.
    var items = NegentropySet()
    /// Users whose key signed two histories, with both records.
    var proofs: [UserID: (SignedUserRecord, SignedUserRecord)] = [:]
    /// Proofs of this step, to be passed on at its end.
    var newProofs: [UserID] = []

    var active: Set<NodeID> = []
    var expelled: Set<NodeID> = []
    /// Rising, so that a random choice among them depends on the random source alone.
    var linked: [NodeID] = []
    /// Those of them that take packed records.
    var packing: Set<NodeID> = []

    let engine: Negentropy
    /// Exchanges that this node began, by peer.
    var exchanges: [NodeID: Exchange] = [:]
    /// Peers to reconcile with soon, and from when on.
    var due: [NodeID: Instant] = [:]
    var nextReconciliation = Instant.start

    var lookups: [RequestID: PendingLookup] = [:]
    var nextLookup: UInt64 = 1

    /// What peers have had passed on.
    var rumours = Buckets<NodeID>(rate: Limits.rumoursPerSecond, burst: Limits.rumourBurst)

    /// What this step has ordered so far.
    var out: [DirectoryEffect] = []

    /// - Parameters:
    ///   - records: rows of `StoreTable.userRecord`; checked before they were stored.
    ///   - equivocations: rows of `StoreTable.equivocation`.
    ///   - owners: rows that `deviceProven` wrote.
    /// - Throws: if a row does not decode.
    public init(
        node: NodeID, federation: FederationID, records: [(key: [UInt8], value: [UInt8])] = [],
        equivocations: [(key: [UInt8], value: [UInt8])] = [], owners: [(key: [UInt8], value: [UInt8])] = []
    ) throws(CodecError) {
        self.node = node
        self.federation = federation
        table = RecordTable(home: node, in: federation)
        guard let engine = try? Negentropy.thrifty(frameBytesMax: Limits.reconcileBytesMax) else {
            preconditionFailure("a reconciliation message of \(Limits.reconcileBytesMax) bytes")
        }
        self.engine = engine
        for (_, value) in equivocations {
            let (first, second) = try Self.proof(decoding: value)
            proofs[try UserRecord(decoding: first.body).user] = (first, second)
        }
        var items: [NegentropyItem] = []
        items.reserveCapacity(records.count)
        table.reserve(records.count)
        for (key, value) in records {
            let packed = try PackedRecord(row: value, key: key, in: federation)
            guard proofs[packed.user] == nil, table[packed.user] == nil else { continue }
            let item = try StoredRecord(packed, in: federation).item
            try table.insert(packed, digest: Digest(raw: item.id))
            items.append(item)
        }
        self.items = NegentropySet(items)
        for (key, value) in owners where key.starts(with: Self.ownerKey) {
            if let device = DeviceID(Array(key.dropFirst(Self.ownerKey.count))), let user = UserID(value) {
                table.settle(device, on: user)
            }
        }
    }

    /// Takes over what another replica has, whose rows are then in memory once: for a program in which many nodes live.
    /// - Parameter users: those of them who live here.
    package mutating func share(_ other: Directory, local users: [UserID]) {
        table = RecordTable(sharing: other.table, home: node, local: users)
        (items, proofs) = (other.items, other.proofs)
    }

    public var nextDeadline: Instant? {
        [
            linked.isEmpty ? nil : nextReconciliation, due.values.min(), exchanges.values.map(\.deadline).min(),
            lookups.values.map(\.deadline).min(),
        ].compactMap { $0 }.min()
    }

    public mutating func step(
        _ input: DirectoryInput, at now: Instant, using random: inout some RandomNumberGenerator
    ) -> [DirectoryEffect] {
        switch input {
        case .membersChanged(let active, let expelled): membersChanged(active: active, expelled: expelled)
        case .linkUp(let peer): linkUp(peer, at: now, using: &random)
        case .linkDown(let peer): linkDown(peer, at: now)
        case .frameReceived(let frame, let peer): received(frame, from: peer, at: now, using: &random)
        case .published(let record): published(record, as: .own, using: &random)
        case .returned(let record): published(record, as: .returned, using: &random)
        case .deviceProven(let device, let user): proven(device, of: user)
        case .lookup(let request, let address, let issuer): lookUp(request, address, issuer: issuer, at: now)
        case .deadlineReached:
            expireLookups(at: now)
            reconcile(at: now, using: &random)
        }
        passOnProofs(using: &random)
        defer { out.removeAll(keepingCapacity: false) }
        return out
    }

    private mutating func received(
        _ frame: LinkFrame, from peer: NodeID, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        switch frame {
        case .records(let records): received(records, from: peer, at: now, using: &random)
        case .packedRecords(let packed): received(packed, from: peer, at: now, using: &random)
        case .takesPackedRecords: if linked.contains(peer) { packing.insert(peer) }
        case .recordsWanted(let digests): answer(digests, to: peer)
        case .reconcile(let exchange, true, let message): respond(to: message, exchange, from: peer)
        case .reconcile(let exchange, false, let message): proceed(with: message, exchange, from: peer, at: now)
        case .equivocation(let first, let second): received(proof: first, second, from: peer)
        case .lookup(let request, let key): answer(request, key, to: peer)
        case .found(let request, let record): received(answer: record, to: request, from: peer)
        case .hello, .entry, .acknowledge, .join, .admitted, .statements, .statementsDigest, .liveness, .goodbye, .claimKeyPackages,
            .keyPackages,
            .fetchGroup, .group, .refusedRequest, .refetch, .signal, .presenceWanted, .presenceUnwanted, .presence:
            break
        }
    }

    // MARK: Members and links

    private mutating func membersChanged(active: [NodeID], expelled: [NodeID]) {
        self.active = Set(active).subtracting(expelled)
        let gone = Set(expelled).subtracting(self.expelled)
        self.expelled.formUnion(gone)
        guard !gone.isEmpty else { return }
        let left = table.all.filter { gone.contains($0.home) }.map(\.item)
        for item in left { items.remove(item) }
    }

    private mutating func linkUp(_ peer: NodeID, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard !linked.contains(peer) else { return }
        if linked.isEmpty { nextReconciliation = now + Self.interval(using: &random) }
        linked.insert(peer, at: linked.firstIndex { peer < $0 } ?? linked.endIndex)
        out.append(.send(peer, .takesPackedRecords))
        // One of the two compares at once, whoever was away.
        if node < peer { due[peer] = now }
    }

    private mutating func linkDown(_ peer: NodeID, at now: Instant) {
        linked.removeAll { $0 == peer }
        packing.remove(peer)
        due[peer] = nil
        exchanges[peer] = nil
        failLookups(to: peer)
    }

    static func interval(using random: inout some RandomNumberGenerator) -> Duration {
        let jitter = Int64.random(in: 0...Limits.reconcileJitter.nanoseconds, using: &random)
        return Limits.reconcileInterval + .nanoseconds(jitter)
    }

    mutating func refuse(_ refusal: DirectoryRefusal, from peer: NodeID?) {
        refusals[refusal, default: 0] += 1
        out.append(.note(.refused(refusal, from: peer)))
    }
}
