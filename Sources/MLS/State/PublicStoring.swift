internal import Vocabulary

/// A hub's state, in the same kind of records: a commit in a large group changes a few nodes.
extension PublicGroup {
    public mutating func takeChanges() -> StateDelta {
        defer { changes = StateChanges() }
        if changes.everything { return stored }
        let records = changes.keys.map { StateDelta.Record(key: $0.bytes, value: value(of: $0)) }
        return StateDelta(replacesAll: false, records: records.sorted { $0.key.lexicographicallyPrecedes($1.key) })
    }

    public var stored: StateDelta {
        let nodes = (0..<state.tree.nodeCount).filter { !state.tree.isBlank($0) }.map { RecordKey.node($0) }
        let records = ([.general, .proposals] + nodes).compactMap { key in
            value(of: key).map { StateDelta.Record(key: key.bytes, value: $0) }
        }
        return StateDelta(replacesAll: true, records: records.sorted { $0.key.lexicographicallyPrecedes($1.key) })
    }

    private func value(of key: RecordKey) -> [UInt8]? {
        switch key {
        case .general:
            var writer = ByteWriter(reservingCapacity: 256)
            writer.write(UInt8(1))
            writer.write(state.context)
            writer.write(opaque: state.confirmationTag)
            writer.write(state.tree.leafCount)
            return writer.bytes
        case .node(let node): return state.tree.encodedNode(node)
        case .proposals: return ProposalsRecord(state.proposals).encoded
        case .pastEpoch, .pastLeaf, .secretNode, .ratchet, .resumption: return nil
        }
    }

    /// - Throws: `invalidState` for records that do not make up a group.
    public init(restoring stored: StoredGroup) throws(MLSError) {
        var nodes: [UInt32: [UInt8]] = [:]
        var general: (context: GroupContext, tag: [UInt8], leafCount: UInt32)?
        var proposals: [PublicState.CachedProposal] = []
        do throws(CodecError) {
            for (key, value) in stored.records {
                var reader = ByteReader(value)
                switch try RecordKey(key) {
                case .general:
                    guard try reader.integer(UInt8.self) == 1 else { throw .badValue("a record's version") }
                    general = (try reader.value(), try reader.bytes(), try reader.integer())
                case .node(let node): nodes[node] = value
                case .proposals: proposals = try reader.value(ProposalsRecord.self).proposals
                case .pastEpoch, .pastLeaf, .secretNode, .ratchet, .resumption: throw .badValue("a member's record")
                }
            }
        } catch { throw .invalidState("\(error)") }
        guard let general else { throw .invalidState("no general record") }
        let suite = try general.context.cipherSuite.provider()
        var tree = try RatchetTree(count: general.leafCount, nodes: nodes)
        guard tree.treeHash(suite) == general.context.treeHash else { throw .invalidState("the tree") }
        state = PublicState(
            context: general.context, tree: tree,
            interimTranscriptHash: Transcript.interim(
                after: general.context.confirmedTranscriptHash, tag: general.tag, suite),
            confirmationTag: general.tag, proposals: proposals)
    }

    /// Equal in what they know; not in what is still to be stored.
    public static func == (x: PublicGroup, y: PublicGroup) -> Bool { x.state == y.state }
}
