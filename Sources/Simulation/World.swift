internal import ClientCore
internal import Cryptography
internal import Federation
public import Vocabulary

/// Nodes, devices, their disks and the wires between them in one thread and virtual time: the real cores, nothing of the world. Everything
/// follows from the seed.
public struct World {
    /// How badly the world behaves while `run` goes on.
    public struct Faults: Sendable {
        public static let none = Faults()
        public static let crashes = Faults(crashesPerMinute: 120, downMax: .seconds(3), lostConnectionsPerMinute: 240)
        public var crashesPerMinute: Double = 0
        public var downMax = Duration.seconds(2)
        public var lostConnectionsPerMinute: Double = 0
    }

    enum Event {
        case node(Int, life: Int, NodeInput)
        /// `wire`: on which it came; nil: of the world's own.
        case device(Int, life: Int, wire: UInt64?, Device.Input)
        /// A node's commit is on its disk.
        case synced(Int, commit: UInt64)
        case wakeNode(Int, life: Int)
        case wakeDevice(Int, life: Int)
        case crashNode(Int, life: Int)
        case restartNode(Int)
        case restartDevice(Int)
        case fault
    }

    /// One end is a node's; the other another node's or a device's.
    struct Wire {
        enum End: Equatable {
            case node(Int, LinkID)
            case session(Int, SessionID)
            case device(Int)
        }
        let ends: [End]
        var lastArrival: [Instant] = [.start, .start]
    }

    var agenda = Agenda<Event>()
    public internal(set) var now = Instant.start
    var random: SeededGenerator
    var nodes: [SimulatedNode] = []
    var devices: [SimulatedDevice] = []
    var wires: [UInt64: Wire] = [:]
    var nextWire: UInt64 = 1
    var faults = Faults.none
    /// A fault is in the agenda; there is one at a time.
    private var isFaultDue = false
    public internal(set) var crashes = 0
    /// What a lying node says in place of what its honest core says to a device.
    public var lie: (@Sendable (_ device: Int, NodeFrame) -> [NodeFrame])?
    /// What a hostile member sends in place of what its honest core would.
    public var plot: (@Sendable (_ device: Int, ClientFrame) -> [ClientFrame])?
    public var weather = Weather()
    /// How long a commit of a node takes; none: it is on disk at once, and no crash comes between.
    public var syncTime: ClosedRange<Duration>?
    /// A bug to be found.
    public var plant: Plant?
    var planted = PlantState()
    var renewed = RenewedRecords()
    /// Writes down what happens; nil: nobody asks.
    public var recorder: Recorder?
    /// Every event as it is taken up.
    public var trace: (@Sendable (String) -> Void)?
    public private(set) var steps = 0

    private let signatures = CheckedSignatures()

    /// What came to nodes and devices, while it is recorded.
    public var tape: Tape?

    static let wallStart = Timestamp(milliseconds: 1_800_000_000_000)
    var wall: Timestamp { Self.wallStart + .nanoseconds(now.nanoseconds) }
    func wall(node index: Int) -> Timestamp { wall + nodes[index].clockError }
    func wall(device index: Int) -> Timestamp { wall + devices[index].clockError }

    /// A federation of `count` nodes, founded by the first, each knowing all.
    public init(nodes count: Int, seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        let keys = (0..<count).map { _ in SigningKey(using: &random) }
        let name = try NodeName("node0")
        let genesis = SignedStatement.genesis(name: "simulated", founderName: name, key: keys[0], using: &random)
        let founder = try Membership(key: keys[0], statements: [genesis])
        var statements = [genesis]
        for (index, key) in keys.enumerated() {
            if index > 0 {
                let admit = Admit(
                    federation: founder.federation, subject: NodeID(raw: key.publicKey), name: try NodeName("node\(index)"), role: .member,
                    n: UInt64(index))
                statements.append(.signing(.admit(admit), with: keys[0]))
            }
            let contents = NodeDescriptor.Contents(
                peers: [Self.endpoint(index)], clients: [Self.endpoint(index)], software: "simulated", incarnation: 1)
            let descriptor = NodeDescriptor(
                federation: founder.federation, node: NodeID(raw: key.publicKey), contents: contents, version: 1)
            statements.append(.signing(.descriptor(descriptor), with: key))
        }
        // All have the same on their disks, and in this process once; each node checks it as it starts, and each signature is checked once.
        let disk = MemoryStore()
        try CheckedSignatures.$current.withValue(signatures) {
            try disk.commit(Membership(key: keys[0], statements: statements, federation: founder.federation).writes)
            for (index, key) in keys.enumerated() {
                nodes.append(SimulatedNode(key: key, store: disk.copy()))
                try start(node: index)
            }
        }
    }

    static func endpoint(_ index: Int) -> Endpoint { Endpoint(host: "node\(index)", port: 1) }
    static func index(of endpoint: Endpoint) -> Int? { Int(endpoint.host.dropFirst(4)) }

    // MARK: Running

    /// Runs under faults for so long.
    public mutating func run(for duration: Duration, under faults: Faults = .none) throws {
        self.faults = faults
        if !isFaultDue, faults.crashesPerMinute + faults.lostConnectionsPerMinute > 0 {
            isFaultDue = true
            agenda.add(.fault, at: now + nextFault())
        }
        let end = now + duration
        try CheckedSignatures.$current.withValue(signatures) { while let next = agenda.first, next <= end { try step() } }
        now = end
        self.faults = .none
    }

    /// Runs without faults until something holds.
    /// - Returns: false when it did not within `limit`.
    public mutating func run(until condition: (World) -> Bool, within limit: Duration) throws -> Bool {
        let end = now + limit
        return try CheckedSignatures.$current.withValue(signatures) {
            while !condition(self) {
                guard let next = agenda.first, next <= end else { return condition(self) }
                try step()
            }
            return true
        }
    }

    private mutating func step() throws {
        guard let (time, event) = agenda.takeFirst() else { return }
        now = max(now, time)
        steps += 1
        trace?("\(now.nanoseconds) \(event.summary)")
        switch event {
        case .node(let index, let life, let input):
            if nodes[index].life == life, hears(input, index) { try turn(node: index, input) }
        case .wakeNode(let index, let life): if nodes[index].life == life { try wake(node: index) }
        case .device(let index, let life, let wire, let input):
            if devices[index].life == life, hears(input, index, on: wire) { turn(device: index, [input]) }
        case .synced(let index, let commit): if nodes[index].disk.onItsWay == commit { try synced(node: index) }
        case .wakeDevice(let index, let life): if devices[index].life == life { wake(device: index) }
        case .crashNode(let index, let life):
            if nodes[index].life == life { kill(node: index, for: .milliseconds(500), isTorn: Bool.random(using: &random)) }
        case .restartNode(let index): try start(node: index)
        case .restartDevice(let index): start(device: index)
        case .fault: misbehave()
        }
    }

    // MARK: Faults

    private mutating func nextFault() -> Duration {
        let perMinute = faults.crashesPerMinute + faults.lostConnectionsPerMinute
        return .nanoseconds(Int64(Double.random(in: 0.1...1.9, using: &random) * 60e9 / max(perMinute, 0.001)))
    }

    private mutating func misbehave() {
        let total = faults.crashesPerMinute + faults.lostConnectionsPerMinute
        guard total > 0 else {
            isFaultDue = false
            return
        }
        agenda.add(.fault, at: now + nextFault())
        if Double.random(in: 0..<total, using: &random) < faults.crashesPerMinute {
            let victim = Int.random(in: 0..<(nodes.count + devices.count), using: &random)
            let down = Duration.nanoseconds(Int64.random(in: 0...faults.downMax.nanoseconds, using: &random))
            crashes += 1
            if victim < nodes.count { kill(node: victim, for: down) } else { kill(device: victim - nodes.count, for: down) }
        } else if let wire = wires.keys.sorted().randomElement(using: &random) {
            close(wire: wire)
        }
    }
}
