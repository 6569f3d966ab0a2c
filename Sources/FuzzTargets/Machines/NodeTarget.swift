internal import Cryptography
internal import Federation
internal import Simulation
internal import Vocabulary

/// A node that is hub and home, with sessions and a link open, and what clients, member nodes and strangers may say to it in any order. A
/// step's kind says who speaks; its highest bit, that what is said is signed anew by whoever has the key.
struct NodeTarget: FuzzTarget {
    private let scene: HonestWorld
    private let forger: Forger
    let seeds: [[UInt8]]
    var takesScripts: Bool { true }

    /// Who speaks.
    enum Kind: UInt8, CaseIterable {
        /// A session of user 0, who founded the group, and of user 2, a member.
        case owner = 0
        case member
        /// Node 1, a member of the federation.
        case peer
        /// A new connection of a client, and of a node that is no member.
        case newcomer
        case stranger
        /// Time goes by.
        case time
        /// A session or the link is lost and made anew.
        case again
    }

    init() throws {
        let scene = try HonestWorld.shared()
        (self.scene, forger) = (scene, Forger(scene))
        seeds = try Self.seeds(of: scene)
    }

    /// What was said, a few frames at a time, as the one who said it and as others.
    private static func seeds(of scene: HonestWorld) throws -> [[UInt8]] {
        var seeds: [[UInt8]] = []
        func add(_ steps: [(Kind, [UInt8])], forged: Bool = false) {
            seeds.append(Script(steps.map { ($0.0.rawValue | (forged ? 0x80 : 0), $0.1) }).encoded)
        }
        let said = scene.tape.clientFrames.filter { $0.node == 0 }
        for user in [0, 2] {
            let frames = said.filter { $0.device == user }.map { $0.frame.serialized() }
            for start in stride(from: 0, to: frames.count, by: 4) {
                let steps = frames[start..<min(start + 4, frames.count)].map { (user == 0 ? Kind.owner : .member, $0) }
                add(steps)
                add(steps, forged: true)
            }
        }
        let links = scene.tape.linkFrames.filter { $0.node == 0 && $0.peer == 1 }.map { $0.frame.serialized() }
        for start in stride(from: 0, to: links.count, by: 4) {
            let steps = links[start..<min(start + 4, links.count)].map { (Kind.peer, $0) }
            add(steps)
            add(steps, forged: true)
        }
        let start = said.filter { $0.device == 0 }.prefix(6).map { (Kind.newcomer, $0.frame.serialized()) }
        add(start)
        add(start, forged: true)
        if let ticket = try? Federation.Ticket(scene.ticket) {
            add([(.stranger, LinkFrame.join(ticket.request).serialized()), (.stranger, links.first ?? [])])
        }
        let register = ClientFrame.register(
            RequestID(1), secret: scene.invitation.secret, user: scene.account(1).userID, handle: try Handle("mallory"))
        add([(.newcomer, ClientFrame.hello(versions: .current, nonce: .zero).serialized()), (.newcomer, register.serialized())])
        for frame in try rarities(scene) { add([(.owner, frame.serialized()), (.time, [1, 4])], forged: true) }
        let digest = Digest(raw: .zero)
        let claims = [LivenessClaim(node: scene.hub.id, state: .dead, incarnation: 7)]
        let rare: [LinkFrame] = [
            .liveness(.pingRequest(sequence: 3, target: scene.hub.id, claims: claims)), .liveness(.negative(sequence: 3, claims: claims)),
            .statementsDigest(digest), .recordsWanted([digest]), .equivocation(scene.records[0], scene.records[1]),
            .fetchGroup(RequestID(3), scene.key, by: scene.account(1).entry),
            .refetch(scene.key, by: scene.account(1).deviceID, from: 1, through: 9), .goodbye(Refusal(.busy, "later")),
        ]
        for frame in rare { add([(.peer, frame.serialized()), (.time, [2, 9])], forged: true) }
        add([(.again, [0]), (.again, [1]), (.again, [2]), (.time, [255, 12])])
        return seeds
    }

    /// What nobody had a reason to say.
    private static func rarities(_ scene: HonestWorld) throws -> [ClientFrame] {
        let user = scene.account(1).userID
        return [
            .fetchGroup(RequestID(5), scene.key), .refetch(scene.key, from: 1, through: 5),
            .refetch(scene.key, from: 1, through: SequenceNumber(unchecked: counterMax)),
            .setBlocked(RequestID(6), users: [user], conversations: [scene.key]), .lookup(RequestID(7), .user(user)),
            .lookup(RequestID(8), .address(try Address("nobody@node1"))), .publish(RequestID(9), scene.records[0]), .ping(.max),
            .subscribe([PresenceWish(user: user, token: .zero)]), .claimKeyPackages(RequestID(.max), [user, user]),
        ]
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        var attack = NodeAttack(scene, forger)
        for step in Script(input).steps { try attack.perform(step) }
        try attack.finish()
        return attack.understood > 0
    }
}
