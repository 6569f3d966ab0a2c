internal import Cryptography
internal import Vocabulary

extension Group {
    /// The group again, exactly as it was when the records were taken.
    /// - Throws: `invalidState` for records that do not make up a group.
    public init(restoring stored: StoredGroup) throws(MLSError) {
        do throws(CodecError) {
            self = try Self.restore(stored)
        } catch { throw .invalidState("\(error)") }
    }

    private static func restore(_ stored: StoredGroup) throws(CodecError) -> Group {
        var pieces = Pieces()
        for (key, value) in stored.records { try pieces.take(try RecordKey(key), value) }
        return try pieces.group()
    }

    /// Records, parsed.
    private struct Pieces {
        var general: GeneralRecord?
        var proposals = ProposalsRecord([])
        var nodes: [UInt32: [UInt8]] = [:]
        var pastEpochs: [PastEpochRecord] = []
        var pastLeaves: [UInt64: [UInt32: LeafNode?]] = [:]
        var secretNodes: [UInt64: [UInt32: Secret]] = [:]
        var ratchets: [UInt64: [SecretTree.Place: SecretTree.Ratchet]] = [:]
        var resumptions: [ResumptionSecret] = []

        mutating func take(_ key: RecordKey, _ value: [UInt8]) throws(CodecError) {
            switch key {
            case .general: general = try whole(value)
            case .proposals: proposals = try whole(value)
            case .node(let node): nodes[node] = value
            case .pastEpoch: pastEpochs.append(try whole(value))
            case .pastLeaf(let epoch, let leaf):
                let node: LeafNode? = value.isEmpty ? nil : try whole(value)
                pastLeaves[epoch, default: [:]][leaf] = .some(node)
            case .secretNode(let epoch, let node): secretNodes[epoch, default: [:]][node] = Secret(value)
            case .ratchet(let epoch, let place):
                let record: RatchetRecord = try whole(value)
                ratchets[epoch, default: [:]][place] = record.ratchet
            case .resumption(let epoch): resumptions.append(ResumptionSecret(epoch: epoch, secret: Secret(value)))
            }
        }

        private func whole<T: WireCodable>(_ bytes: [UInt8]) throws(CodecError) -> T {
            var reader = ByteReader(bytes)
            let value: T = try reader.value()
            try reader.finish()
            return value
        }

        func group() throws(CodecError) -> Group {
            guard let general else { throw .badValue("no general record") }
            do {
                let tree = try RatchetTree(count: general.leafCount, nodes: nodes)
                let epoch = general.context.epoch
                let current = try general.current(
                    tree: tree, secretTree: secretTree(epoch, leafCount: general.leafCount), proposals: proposals.proposals)
                var group = Group(current: current, life: general.life)
                group.past = past(from: tree.leaves)
                group.resumptions = resumptions.sorted { $0.epoch < $1.epoch }
                let suite = try current.state.suite()
                for update in proposals.updates {
                    group.ownUpdates.append(
                        OwnUpdate(
                            reference: update.reference,
                            key: try crypto("update key") { () throws(CryptoError) in try suite.encapsulationKey(update.key) },
                            signer: try crypto("update signer") { () throws(CryptoError) in try suite.signatureKey(update.signer) }))
                }
                return group
            } catch { throw .badValue("\(error)") }
        }

        private func secretTree(_ epoch: UInt64, leafCount: UInt32) -> SecretTree {
            SecretTree(leafCount: leafCount, nodes: secretNodes[epoch] ?? [:], ratchets: ratchets[epoch] ?? [:])
        }

        /// Walks back from the newest: each past epoch's leaves are those of the next, but for what that one changed.
        private func past(from newest: NodeList<LeafNode>) -> [PastEpoch] {
            var leaves = newest
            var result: [PastEpoch] = []
            for record in pastEpochs.sorted(by: { $0.epoch > $1.epoch }) {
                let count = Int(record.leafCount)
                leaves.resize(to: count)
                let changed = pastLeaves[record.epoch] ?? [:]
                for (leaf, node) in changed where Int(leaf) < count { leaves[Int(leaf)] = node }
                result.append(
                    PastEpoch(
                        epoch: record.epoch, ownLeaf: record.ownLeaf, closedAt: record.closedAt, contextBytes: record.contextBytes,
                        senderData: record.senderData, leaves: leaves, changedLeaves: changed.keys.sorted(),
                        secretTree: secretTree(record.epoch, leafCount: record.leafCount)))
            }
            return result.reversed()
        }
    }
}

extension RatchetTree {
    init(count: UInt32, nodes: [UInt32: [UInt8]]) throws(MLSError) {
        guard count > 0, count <= TreeMath.leavesMax, count.nonzeroBitCount == 1 else { throw .invalidState("a number of leaves") }
        var leaves = [LeafNode?](repeating: nil, count: Int(count))
        var parents = [ParentNode?](repeating: nil, count: Int(count) - 1)
        for (node, bytes) in nodes {
            guard node < 2 * count - 1 else { throw .invalidState("a node outside the tree") }
            if node & 1 == 0 {
                leaves[Int(node / 2)] = try LeafNode(exactly: bytes)
            } else {
                parents[Int(node / 2)] = try ParentNode(exactly: bytes)
            }
        }
        try self.init(leaves: leaves, parents: parents)
    }
}

extension PendingCommit {
    /// For the caller's store: contains secrets of the epoch to come. Of the tree only what differs from the group's.
    /// - Parameter group: the one that made the commit, unchanged since.
    public func stored(for group: Group) -> [UInt8] {
        var changes = StateChanges()
        changes.note(from: group.current.state.tree, to: next.state.tree)
        var writer = ByteWriter(reservingCapacity: message.count + (welcome?.count ?? 0) + 4096)
        writer.write(UInt8(1))
        writer.write(opaque: message)
        writer.write(optional: welcome) { writer, welcome in writer.write(opaque: welcome) }
        writer.write(opaque: base)
        writer.write(GeneralRecord(next, life: ending.map { .ended($0) } ?? .active))
        let root = next.secretTree.nodes[TreeMath.root(leaves: next.secretTree.leafCount)]
        writer.write(secret: root ?? Secret([]))
        let nodes = (0..<next.state.tree.nodeCount).filter { changes.keys.contains(.node($0)) }
        writer.write(vector: nodes) { writer, node in
            writer.write(node)
            writer.write(optional: next.state.tree.encodedNode(node)) { writer, bytes in writer.write(opaque: bytes) }
        }
        summary.write(to: &writer)
        return writer.bytes
    }

    /// - Parameter group: the one that made the commit.
    /// - Throws: `staleCommit` when that has moved since; `invalidState`.
    public init(stored bytes: [UInt8], for group: Group) throws(MLSError) {
        var reader = ByteReader(bytes)
        let general: GeneralRecord
        let root: Secret
        let nodes: [(node: UInt32, bytes: [UInt8]?)]
        do throws(CodecError) {
            guard try reader.integer(UInt8.self) == 1 else { throw .badValue("the version of a stored commit") }
            message = try reader.bytes()
            welcome = try reader.optional { (reader) throws(CodecError) in try reader.bytes() }
            base = try reader.bytes()
            general = try reader.value()
            root = try reader.secret()
            nodes = try reader.vector { (reader) throws(CodecError) in
                (try reader.integer(), try reader.optional { (reader) throws(CodecError) in try reader.bytes() })
            }
            summary = try CommitSummary(from: &reader)
            try reader.finish()
        } catch { throw .invalidState("\(error)") }
        guard base == group.current.state.interimTranscriptHash else { throw .staleCommit }
        var encoded: [UInt32: [UInt8]] = [:]
        let old = group.current.state.tree
        guard general.leafCount > 0, general.leafCount <= TreeMath.leavesMax else { throw .invalidState("a number of leaves") }
        for node in 0..<min(old.nodeCount, 2 * general.leafCount - 1) { encoded[node] = old.encodedNode(node) }
        for item in nodes { encoded[item.node] = item.bytes }
        let tree = try RatchetTree(count: general.leafCount, nodes: encoded)
        next = try general.current(
            tree: tree, secretTree: SecretTree(leafCount: general.leafCount, encryptionSecret: root))
        if case .ended(let reInit) = general.life { ending = reInit } else { ending = nil }
    }
}

extension CommitSummary {
    func write(to writer: inout ByteWriter) {
        writer.write(epoch)
        writer.write(committer)
        writer.write(UInt8(isExternal ? 1 : 0))
        writer.write(indices: added)
        writer.write(indices: updated)
        writer.write(vector: removed) { writer, item in
            writer.write(item.leaf)
            writer.write(item.node)
        }
        writer.write(UInt8(hasPath ? 1 : 0))
        writer.write(optional: reInit) { writer, reInit in writer.write(reInit) }
        writer.write(list: preSharedKeys)
    }

    init(from reader: inout ByteReader) throws(CodecError) {
        epoch = try reader.integer()
        committer = try reader.integer()
        isExternal = try reader.integer(UInt8.self) == 1
        added = try reader.indices()
        updated = try reader.indices()
        removed = try reader.vector { (reader) throws(CodecError) in
            RemovedMember(leaf: try reader.integer(), node: try reader.value())
        }
        hasPath = try reader.integer(UInt8.self) == 1
        reInit = try reader.optional { (reader) throws(CodecError) in try reader.value() }
        preSharedKeys = try reader.list()
    }
}
