/// Which records changed since the caller last took them.
struct StateChanges: Equatable, Sendable {
    /// All of them, and whatever else is stored goes.
    var everything = false
    var keys: Set<RecordKey> = []

    /// Nodes that differ.
    mutating func note(from old: RatchetTree, to new: RatchetTree) {
        for leaf in old.leaves.changes(to: new.leaves) { keys.insert(.node(leaf * 2)) }
        for parent in old.parents.changes(to: new.parents) { keys.insert(.node(parent * 2 + 1)) }
    }

    mutating func note(_ tree: inout SecretTree, epoch: UInt64) {
        for node in tree.changed.nodes { keys.insert(.secretNode(epoch: epoch, node: node)) }
        for place in tree.changed.ratchets { keys.insert(.ratchet(epoch: epoch, place)) }
        tree.changed = SecretTree.ChangedSecrets()
    }

    /// A past epoch that goes, with all that is stored of it.
    mutating func noteForgotten(_ past: PastEpoch) {
        keys.insert(.pastEpoch(past.epoch))
        for leaf in past.changedLeaves { keys.insert(.pastLeaf(epoch: past.epoch, leaf: leaf)) }
        for node in past.secretTree.nodes.keys { keys.insert(.secretNode(epoch: past.epoch, node: node)) }
        for node in past.secretTree.changed.nodes { keys.insert(.secretNode(epoch: past.epoch, node: node)) }
        for place in past.secretTree.ratchets.keys { keys.insert(.ratchet(epoch: past.epoch, place)) }
        for place in past.secretTree.changed.ratchets { keys.insert(.ratchet(epoch: past.epoch, place)) }
    }
}

extension RatchetTree {
    func encodedNode(_ node: UInt32) -> [UInt8]? { node & 1 == 0 ? leaf(node / 2)?.encoded : parent(node)?.encoded }
}

extension Group {
    /// What changed since the last call: to be stored with whatever made it change. Nothing may be sent or shown before it is on disk.
    public mutating func takeChanges() -> StateDelta {
        defer { changes = StateChanges() }
        if changes.everything {
            current.secretTree.changed = SecretTree.ChangedSecrets()
            for index in past.indices { past[index].secretTree.changed = SecretTree.ChangedSecrets() }
            return stored
        }
        changes.note(&current.secretTree, epoch: epoch)
        for index in past.indices { changes.note(&past[index].secretTree, epoch: past[index].epoch) }
        let records = changes.keys.map { StateDelta.Record(key: $0.bytes, value: value(of: $0)) }
        return StateDelta(replacesAll: false, records: records.sorted { $0.key.lexicographicallyPrecedes($1.key) })
    }

    /// The whole state.
    public var stored: StateDelta {
        var keys: Set<RecordKey> = [.general, .proposals]
        for node in 0..<current.state.tree.nodeCount where !current.state.tree.isBlank(node) { keys.insert(.node(node)) }
        for (epoch, tree) in [(epoch, current.secretTree)] + past.map({ ($0.epoch, $0.secretTree) }) {
            for node in tree.nodes.keys { keys.insert(.secretNode(epoch: epoch, node: node)) }
            for place in tree.ratchets.keys { keys.insert(.ratchet(epoch: epoch, place)) }
        }
        for past in past {
            keys.insert(.pastEpoch(past.epoch))
            for leaf in past.changedLeaves { keys.insert(.pastLeaf(epoch: past.epoch, leaf: leaf)) }
        }
        for item in resumptions { keys.insert(.resumption(item.epoch)) }
        let records = keys.compactMap { key in value(of: key).map { StateDelta.Record(key: key.bytes, value: $0) } }
        return StateDelta(replacesAll: true, records: records.sorted { $0.key.lexicographicallyPrecedes($1.key) })
    }

    private func value(of key: RecordKey) -> [UInt8]? {
        switch key {
        case .general: return GeneralRecord(self).encoded
        case .node(let node): return current.state.tree.encodedNode(node)
        case .proposals: return ProposalsRecord(self).encoded
        case .pastEpoch(let epoch): return past.first { $0.epoch == epoch }.map { PastEpochRecord($0).encoded }
        case .pastLeaf(let epoch, let leaf):
            guard let then = past.first(where: { $0.epoch == epoch }), then.changedLeaves.contains(leaf) else { return nil }
            return Int(leaf) < then.leaves.count ? then.leaves[Int(leaf)]?.encoded ?? [] : []
        case .secretNode(let epoch, let node): return secretTree(epoch)?.nodes[node]?.copyBytes()
        case .ratchet(let epoch, let place): return secretTree(epoch)?.ratchets[place].map { RatchetRecord($0).encoded }
        case .resumption(let epoch): return resumptions.first { $0.epoch == epoch }?.secret.copyBytes()
        }
    }

    private func secretTree(_ epoch: UInt64) -> SecretTree? {
        epoch == self.epoch ? current.secretTree : past.first { $0.epoch == epoch }?.secretTree
    }
}
