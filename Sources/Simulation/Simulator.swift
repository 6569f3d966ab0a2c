internal import ClientCore
internal import Cryptography
public import Histories
internal import Vocabulary

/// What to run. The same options are the same run, byte for byte.
public struct SimulationOptions: Sendable {
    public var seed: UInt64
    public var nodes = 5
    public var clients = 20
    /// Of virtual time under faults; healing follows.
    public var time = Duration.minutes(10)
    public var faults = Fault.Kind.usual
    public var plant: Plant?
    /// From one message of a client to its next, on average.
    public var pause = Duration.seconds(10)

    public init(seed: UInt64) { self.seed = seed }

    /// What runs the same again.
    public var command: String {
        let kinds = Fault.Kind.allCases.filter { faults.contains($0) }.map(\.rawValue).joined(separator: ",")
        return "workbench simulate --seed \(seed) --nodes \(nodes) --clients \(clients)"
            + " --minutes \(Double(time.milliseconds) / 60_000)"
            + " --pause \(Double(pause.milliseconds) / 1_000) --faults \(kinds.isEmpty ? "none" : kinds)"
            + (plant.map { " --plant \($0.rawValue)" } ?? "")
    }

    /// The virtual time within which all must have come to agree. What a home has lost with its disk, and what a hub took with it, is handed
    /// over again only after an hour.
    var healingTime: Duration { faults.isDisjoint(with: [.copies, .expulsion]) ? .minutes(5) : .hours(2) }
}

/// What came of a run.
public struct SimulationReport: Sendable {
    public var violations: [Violation]
    public let messages: Int
    public let events: Int
    public let steps: Int
    public let faults: [String: Int]
    /// Virtual.
    public let time: Duration
    /// From the last fault to agreement; nil: it never came.
    public let healed: Duration?
    /// Of all random choices together: two runs with one fingerprint took the same course.
    public let fingerprint: UInt64
}

/// A federation with users who write to each other in direct conversations and groups, and a nemesis; then peace; then the verdict.
/// One thread, virtual time, everything from one seed.
public struct Simulator {
    enum Action {
        case speak(Int)
        case change
        /// Somebody's record has a new version.
        case renew
        case look(Int)
        case misbehave
        /// Something that a fault does later, or that ends it.
        case later(@Sendable (inout Simulator) throws -> Void)
    }

    public internal(set) var world: World
    let options: SimulationOptions
    /// The nemesis's and the users' own, so that what the cores draw does not depend on it.
    var random: SeededGenerator
    var agenda = Agenda<Action>()
    var users: [Int] = []
    var groups: [Team] = []
    var deck: [Fault] = []
    var happened: [String: Int] = [:]
    var copies: [Int: MemoryStore.Copy] = [:]
    var profiles: [Int: SimulatedProfile] = [:]
    var expelled: Set<Int> = []
    var liedAbout: Set<ConversationID> = []
    private var messages = 0
    var tickets: UInt64 = 1

    struct Team {
        let id: ConversationID
        let owner: Int
    }

    public init(
        _ options: SimulationOptions, sink: (@Sendable (HistoryEvent) -> Void)? = nil, trace: (@Sendable (String) -> Void)? = nil
    ) throws {
        self.options = options
        random = SeededGenerator(seed: options.seed ^ 0x5151_5151)
        world = try World(nodes: options.nodes, seed: options.seed)
        world.syncTime = .microseconds(200)...(.milliseconds(3))
        world.recorder = Recorder(
            HistoryRules(isExact: true, allowsTombstones: !options.faults.isDisjoint(with: [.clones, .liars, .copies])))
        world.recorder?.sink = sink
        world.trace = trace
    }

    // MARK: The run

    public mutating func run() throws -> SimulationReport {
        try settle()
        world.plant = options.plant
        for index in 0..<options.nodes where options.plant != nil { world.spoilDisk(of: index) }
        planFaults()
        let end = world.now + options.time
        for user in users {
            agenda.add(.speak(user), at: soon(options.pause))
            agenda.add(.look(user), at: soon(.seconds(20)))
        }
        agenda.add(.change, at: soon(.seconds(15)))
        agenda.add(.renew, at: soon(.seconds(10)))
        while let next = agenda.first, next <= end {
            guard let (time, action) = agenda.takeFirst() else { break }
            try world.run(for: time - world.now)
            try perform(action)
        }
        try world.run(for: end - world.now)
        let (healed, open) = try heal()
        var violations = world.recorder?.conclude() ?? []
        violations += directoryViolations() + open
        return SimulationReport(
            violations: violations, messages: messages, events: world.recorder?.count ?? 0, steps: world.steps, faults: happened,
            time: world.now - .start, healed: healed, fingerprint: world.random.next())
    }

    /// Everybody joins, and the groups are made, in peace.
    private mutating func settle() throws {
        for index in 0..<options.clients { users.append(try world.addUser("user\(index)", at: index % options.nodes)) }
        let all = users
        _ = try world.run(until: { world in all.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        try world.run(for: .seconds(5))
        for number in 0..<(options.clients + 7) / 8 where options.clients > 2 {
            let owner = users[number * 8 % users.count]
            let others = users.filter { $0 != owner }.shuffled(using: &random).prefix(min(6, users.count - 1))
            let before = Set(world.profile(owner).conversations.keys)
            tickets += 1
            let members = others.compactMap { world.address($0) }
            world.tell(.groupRequested(Ticket(tickets), .create(name: "group \(number)", members: members)), to: owner)
            try world.run(for: .seconds(5))
            let made = world.profile(owner).conversations.filter { !before.contains($0.key) && !$0.value.profile.isDirect }.keys.min()
            if let made { groups.append(Team(id: made, owner: owner)) }
        }
        try world.run(for: .seconds(20))
    }

    /// From half to one and a half of it, from now.
    mutating func soon(_ pause: Duration) -> Instant {
        world.now + .nanoseconds(Int64.random(in: pause.nanoseconds / 2...pause.nanoseconds * 3 / 2, using: &random))
    }

    private mutating func perform(_ action: Action) throws {
        switch action {
        case .speak(let user):
            speak(user)
            agenda.add(.speak(user), at: soon(options.pause))
        case .change:
            change()
            agenda.add(.change, at: soon(.seconds(15)))
        case .renew:
            if let user = users.randomElement(using: &random) { world.renewRecord(of: user) }
            agenda.add(.renew, at: soon(.seconds(10)))
        case .look(let user):
            world.setReading(Int.random(in: 0..<4, using: &random) > 0, device: user)
            let others = (0..<3).compactMap { _ in users.randomElement(using: &random).flatMap { world.address($0) } }
            world.tell(.presenceWanted(others), to: user)
            agenda.add(.look(user), at: soon(.seconds(20)))
        case .misbehave: try misbehave()
        case .later(let body): try body(&self)
        }
    }

    private mutating func speak(_ user: Int) {
        messages += 1
        if Int.random(in: 0..<10, using: &random) < 4 {
            let mine = groups.filter { group in
                world.profile(user).conversations[group.id]?.standing == .accepted
            }
            if let group = mine.randomElement(using: &random) {
                _ = world.send("text \(messages)", from: user, to: group.id)
                return
            }
        }
        guard let other = users.filter({ $0 != user }).randomElement(using: &random), let address = world.address(other) else { return }
        _ = world.send("text \(messages)", from: user, to: address)
    }

    private mutating func change() {
        guard let group = groups.randomElement(using: &random) else { return }
        let inside = Set(world.members(of: group.id, at: group.owner).map(\.user))
        let members = users.filter { inside.contains(world.profile($0).account.userID) && $0 != group.owner }
        let outside = users.filter { !inside.contains(world.profile($0).account.userID) }
        tickets += 1
        let wish: GroupWish? =
            switch Int.random(in: 0..<4, using: &random) {
            case 0: .rename(group.id, "name \(tickets)")
            case 1: outside.randomElement(using: &random).flatMap { world.address($0) }.map { .add(group.id, [$0]) }
            case 2 where members.count > 2:
                members.randomElement(using: &random).flatMap { world.address($0) }.map { .remove(group.id, [$0]) }
            case 3 where members.count > 3: nil
            default: .rename(group.id, "name \(tickets)")
            }
        if let wish {
            world.tell(.groupRequested(Ticket(tickets), wish), to: group.owner)
        } else if let leaver = members.randomElement(using: &random) {
            world.tell(.groupRequested(Ticket(tickets), .leave(group.id)), to: leaver)
        }
    }
}
