public import Vocabulary

/// What can go wrong in a run, by name.
public enum Fault: String, Sendable, CaseIterable {
    case delay, clog, oneWayPartition, partition, reset
    case slowDisk, failingDisk, fullDisk, tornCommit
    case clockJump
    case nodeCrash, nodeAway, deviceCrash
    case oldNode
    case expulsion
    case lyingHub, forgedRecord
    case oldDevice

    /// What `workbench simulate --faults` names.
    public enum Kind: String, Sendable, CaseIterable {
        /// Delay, one stalled direction, partitions of one or both directions, resets with loss of what was on its way.
        case network
        /// Slow, failing (the node dies of it), full, and commits that a crash loses.
        case disks
        case clocks
        /// Nodes and devices that die and come back, nodes that stay away.
        case crashes
        /// Nodes that go on from an old copy of their disk.
        case copies
        /// A node is expelled.
        case expulsion
        /// A hub that tells one device another story; records that nobody signed.
        case liars
        /// Devices that go on from an old copy of their profile.
        case clones

        /// What honest nodes on bad machines suffer.
        public static let usual: Set<Kind> = [.network, .disks, .clocks, .crashes]
    }

    public var kind: Kind {
        switch self {
        case .delay, .clog, .oneWayPartition, .partition, .reset: .network
        case .slowDisk, .failingDisk, .fullDisk, .tornCommit: .disks
        case .clockJump: .clocks
        case .nodeCrash, .nodeAway, .deviceCrash: .crashes
        case .oldNode: .copies
        case .expulsion: .expulsion
        case .lyingHub, .forgedRecord: .liars
        case .oldDevice: .clones
        }
    }

    public static func all(of kinds: Set<Kind>) -> [Fault] { allCases.filter { kinds.contains($0.kind) } }
}
