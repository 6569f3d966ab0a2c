import Cryptography
import Federation
import Groups
import MLS
import Vocabulary

/// Whole nodes with links that deliver at once and in order, unless a node hangs or a link is cut; a clock that moves when told.
struct Town {
    var relays: [Relay]
    /// Nodes that take nothing and say nothing, while their connections look open.
    var hanging: Set<Int> = []
    private(set) var linked: Set<[Int]> = []
    /// What sessions were told, by node and session, since `forget`.
    private(set) var told: [Int: [NodeEffect]] = [:]
    /// Link frames since `forget`, from node to node.
    private(set) var said: [[Int]: [LinkFrame]] = [:]
    private(set) var writes: [Int: [StoreWrite]] = [:]

    init(_ coast: Coast, linked: Bool = true) throws {
        relays = try (0..<coast.nodes).map { try coast.relay($0) }
        guard linked else { return }
        for one in relays.indices { for other in 0..<one { try connect(one, other) } }
    }

    static func link(_ one: Int, _ other: Int) -> LinkID { LinkID(UInt64(1_000 + one * 10 + other)) }

    @discardableResult
    mutating func step(_ node: Int, _ inputs: NodeInput...) throws -> [NodeEffect] { try batch(node, inputs) }

    @discardableResult
    mutating func batch(_ node: Int, _ inputs: [NodeInput]) throws -> [NodeEffect] {
        guard !hanging.contains(node) else { return [] }
        let effects = try relays[node].batch(inputs)
        told[node, default: []] += effects
        writes[node, default: []] += effects.writes
        for other in relays.indices where linked.contains([node, other]) {
            let frames = effects.frames(on: Self.link(node, other).value)
            said[[node, other], default: []] += frames
            guard !hanging.contains(other) else { continue }
            for frame in frames { try step(other, .linkFrame(Self.link(other, node), frame)) }
        }
        return effects
    }

    mutating func connect(_ one: Int, _ other: Int) throws {
        try step(one, .linkOpened(Self.link(one, other), peer: relays[other].id, dialled: true))
        try step(other, .linkOpened(Self.link(other, one), peer: relays[one].id, dialled: false))
        // What both said at once crossed.
        linked.formUnion([[one, other], [other, one]])
        try step(other, .linkFrame(Self.link(other, one), hello(one)))
        try step(one, .linkFrame(Self.link(one, other), hello(other)))
    }

    private func hello(_ node: Int) -> LinkFrame {
        .hello(versions: .current, federation: Coast.fixture.federation, readThrough: 0, statements: .zero)
    }

    mutating func disconnect(_ one: Int, _ other: Int) throws {
        linked.subtract([[one, other], [other, one]])
        try step(one, .linkClosed(Self.link(one, other)))
        try step(other, .linkClosed(Self.link(other, one)))
    }

    @discardableResult
    mutating func signIn(_ person: Person, as session: UInt64, at node: Int) throws -> [NodeEffect] {
        let session = SessionID(session)
        let effects = try step(node, .sessionOpened(session), .sessionFrame(session, .hello(versions: .current, nonce: Relay.nonce)))
        guard let nonce = effects.nonce(to: session) else { return effects }
        return try step(node, .sessionFrame(session, .authenticate(person.proof(node: relays[node].id, nodeNonce: nonce))))
    }

    @discardableResult
    mutating func say(_ frame: ClientFrame, in session: UInt64, at node: Int) throws -> [NodeEffect] {
        try step(node, .sessionFrame(SessionID(session), frame))
    }

    /// What another node says, made up by the test.
    @discardableResult
    mutating func forge(_ frame: LinkFrame, from one: Int, to other: Int) throws -> [NodeEffect] {
        try step(other, .linkFrame(Self.link(other, one), frame))
    }

    mutating func wait(_ duration: Duration, by pace: Duration = .milliseconds(200)) throws {
        let end = relays[0].now + duration
        while relays[0].now < end {
            let next = min(end, relays[0].now + pace)
            for node in relays.indices {
                relays[node].now = next
                try step(node, .deadlineReached)
            }
        }
    }

    mutating func forget() { (told, said, writes) = ([:], [:], [:]) }

    func frames(to session: UInt64, at node: Int) -> [NodeFrame] { told[node]?.frames(to: session) ?? [] }

    /// The claims answered so far.
    func claimed(_ session: UInt64, at node: Int) -> [[ClaimedKeyPackages]] {
        frames(to: session, at: node).compactMap { if case .keyPackages(_, let claimed) = $0 { claimed } else { nil } }
    }

    /// The newest that a session was told of a user.
    func presence(of person: Person, to session: UInt64, at node: Int) -> Presence? {
        var newest: Presence?
        for case .presence(let news) in frames(to: session, at: node) {
            for item in news where item.user == person.id { newest = item.presence }
        }
        return newest
    }
}

extension Person {
    /// - Parameter expires: seconds after the fixture's wall time.
    func keyPackage(_ seed: UInt64, lastResort: Bool = false, expires: UInt64 = 86_400) throws -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        let certificate = key.sign(DeviceCertificate.body(user: id, device: deviceID), for: .deviceCertificate)
        let member = try MemberLeaf.identity(
            of: entry, device: device, certificate: certificate,
            lifetime: Lifetime(notBefore: Coast.wall.seconds - 3_600, notAfter: Coast.wall.seconds + expires))
        return try OwnKeyPackage.make(member: member, lastResort: lastResort, using: &random).published
    }

    func supply(_ seeds: Range<UInt64>, lastResort: UInt64? = nil, replaces: Bool = false) throws -> KeyPackageSupply {
        KeyPackageSupply(
            replaces: replaces, packages: try seeds.map { try keyPackage($0) },
            lastResort: try lastResort.map { try keyPackage($0, lastResort: true) })
    }
}

extension [NodeEffect] {
    func done(_ session: UInt64) -> [RequestID] {
        frames(to: session).compactMap { if case .done(let request) = $0 { request } else { nil } }
    }

    func claimed(_ session: UInt64) -> [ClaimedKeyPackages] {
        frames(to: session).flatMap { frame -> [ClaimedKeyPackages] in if case .keyPackages(_, let claimed) = frame { claimed } else { [] }
        }
    }

    func keyPackagesLeft(_ session: UInt64) -> [UInt32] {
        frames(to: session).compactMap { if case .keyPackagesLeft(let count) = $0 { count } else { nil } }
    }
}
