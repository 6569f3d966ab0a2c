import Cryptography
import Federation
import Vocabulary

/// Liveness cores with a clock and a network that loses, delays and cuts; every run of one seed is the same.
struct LivenessNetwork {
    private struct Packet {
        let due: Instant
        let order: Int
        let from, to: Int
        let message: LivenessMessage
    }

    var now = Instant.start
    var random: SeededGenerator
    var nodes: [Liveness]
    var running: [Bool]
    /// Chance that a message is lost.
    var loss = 0.0
    var delay = Duration.milliseconds(2)
    /// Further delay of all that a node sends and receives.
    var lag: [Duration]
    var cut: Set<[Int]> = []
    /// A node that stands still until then: it neither hears nor acts, and does both late.
    var stalledUntil: [Instant]
    /// What each node said, in order.
    var changes: [(at: Instant, by: Int, of: Int, to: LivenessClaim.State)] = []
    var sent: [Int]
    private var packets: [Packet] = []
    private var order = 0
    private let indices: [NodeID: Int]

    static func id(_ index: Int) -> NodeID {
        NodeID(raw: Bytes32([UInt8](repeating: UInt8(truncatingIfNeeded: index + 1), count: 32)) ?? .zero)
    }

    init(_ count: Int, seed: UInt64, settings: LivenessSettings = LivenessSettings()) {
        random = SeededGenerator(seed: seed)
        nodes = (0..<count).map { Liveness(node: Self.id($0), incarnation: 1, settings: settings) }
        running = Array(repeating: true, count: count)
        lag = Array(repeating: .zero, count: count)
        stalledUntil = Array(repeating: .start, count: count)
        sent = Array(repeating: 0, count: count)
        indices = Dictionary(uniqueKeysWithValues: (0..<count).map { (Self.id($0), $0) })
        for index in 0..<count { input(.membersChanged((0..<count).map(Self.id)), to: index) }
    }

    mutating func input(_ input: Liveness.Input, to index: Int) {
        guard running[index] else { return }
        for effect in nodes[index].step(input, at: now, using: &random) {
            switch effect {
            case .send(let node, let message):
                guard let to = indices[node] else { continue }
                sent[index] += 1
                guard Double.random(in: 0..<1, using: &random) >= loss, !cut.contains([min(index, to), max(index, to)]) else { continue }
                let jitter = Duration.microseconds(Int.random(in: 0...1000, using: &random))
                order += 1
                packets.append(
                    Packet(due: now + delay + lag[index] + lag[to] + jitter, order: order, from: index, to: to, message: message))
            case .stateChanged(let node, let state): changes.append((now, index, indices[node] ?? -1, state))
            case .note: break
            }
        }
    }

    mutating func run(for duration: Duration, until done: (LivenessNetwork) -> Bool = { _ in false }) {
        let end = now + duration
        while !done(self) {
            let packet = packets.indices.min { (due(packets[$0]), packets[$0].order) < (due(packets[$1]), packets[$1].order) }
            let timer = nodes.indices.filter { deadline(of: $0) != nil }
                .min { (deadline(of: $0) ?? .start, $0) < (deadline(of: $1) ?? .start, $1) }
            let packetDue = packet.map { due(packets[$0]) }
            guard let next = [packetDue, timer.flatMap(deadline)].compactMap({ $0 }).min(), next <= end else { break }
            now = max(now, next)
            if let packet, packetDue == next {
                let arrived = packets.remove(at: packet)
                input(.received(arrived.message, from: Self.id(arrived.from)), to: arrived.to)
            } else if let timer {
                input(.deadlineReached, to: timer)
            }
        }
        if now < end, !done(self) { now = end }
    }

    private func due(_ packet: Packet) -> Instant { max(packet.due, stalledUntil[packet.to]) }

    private func deadline(of index: Int) -> Instant? {
        running[index] ? nodes[index].nextDeadline.map { max($0, stalledUntil[index]) } : nil
    }

    /// Starts a node that had stopped, as its process would.
    mutating func restart(_ index: Int, incarnation: UInt64) {
        nodes[index] = Liveness(node: Self.id(index), incarnation: incarnation)
        running[index] = true
        input(.membersChanged(nodes.indices.map(Self.id)), to: index)
    }

    /// How the running nodes see one.
    func views(of index: Int) -> [LivenessClaim.State] {
        nodes.indices.filter { running[$0] && $0 != index }.compactMap { nodes[$0][Self.id(index)]?.state }
    }

    func all(_ state: LivenessClaim.State, of index: Int) -> Bool { views(of: index).allSatisfy { $0 == state } }
}
