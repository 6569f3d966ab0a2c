import Cryptography
import Federation
import Vocabulary

/// Desks of some nodes, joined by links that deliver at once and in order unless they are down; a clock that only moves when told.
struct PresenceHarbour {
    static let sixty: UInt64 = 1_800_000_000

    var desks: [PresenceDesk]
    var now = Instant.start
    private var random = SeededGenerator(seed: 1)
    private(set) var homes: [UserID: Int] = [:]
    private(set) var isUp: Set<[Int]> = []
    /// What each session believes of each user, from what it was told.
    private(set) var beliefs: [SessionID: [UserID: Presence]] = [:]
    /// What was told since `forgetTraffic`: by session, and by link (from, to).
    private(set) var framesToSession: [SessionID: Int] = [:]
    private(set) var framesOnLink: [[Int]: [LinkFrame]] = [:]
    private(set) var calls: [[Int]] = []

    init(nodes: Int, linked: Bool = true) {
        desks = (0..<nodes).map { PresenceDesk(node: Self.node($0)) }
        for node in desks.indices { step(node, .clockRead(Timestamp(milliseconds: Int64(Self.sixty) * 1000))) }
        guard linked else { return }
        for one in 0..<nodes { for other in 0..<one { connect(one, other) } }
    }

    static func bytes(_ number: Int) -> Bytes32 { Bytes32(Hash.blake2b([UInt8(number & 0xff), UInt8(number >> 8 & 0xff)]).bytes) ?? .zero }
    static func node(_ number: Int) -> NodeID { NodeID(raw: bytes(10_000 + number)) }
    static func user(_ number: Int) -> UserID { UserID(raw: bytes(20_000 + number)) }
    static func token(_ number: Int) -> Bytes32 { bytes(30_000 + number) }
    static func digest(_ number: Int) -> Digest { Hash.blake2b(token(number).bytes) }

    // MARK: What happens

    mutating func step(_ node: Int, _ input: PresenceDesk.Input) {
        for effect in desks[node].step(input, at: now, using: &random) {
            switch effect {
            case .tell(let session, let news):
                framesToSession[session, default: 0] += 1
                for item in news { beliefs[session, default: [:]][item.user] = item.presence }
            case .send(let peer, let frame):
                guard let other = desks.indices.first(where: { Self.node($0) == peer }) else { continue }
                framesOnLink[[node, other], default: []].append(frame)
                guard isUp.contains([node, other]) else { continue }
                switch frame {
                case .presenceWanted(let wishes): step(other, .wanted(wishes, by: Self.node(node)))
                case .presenceUnwanted(let users): step(other, .unwanted(users, by: Self.node(node)))
                case .presence(let news): step(other, .told(news, by: Self.node(node)))
                default: break
                }
            case .call(let peer):
                if let other = desks.indices.first(where: { Self.node($0) == peer }) { calls.append([node, other]) }
            }
        }
    }

    mutating func signIn(_ session: UInt64, _ user: Int, at node: Int) {
        homes[Self.user(user)] = node
        step(node, .signedIn(SessionID(session), Self.user(user)))
    }

    mutating func signOut(_ session: UInt64, at node: Int) { step(node, .signedOut(SessionID(session))) }

    /// The user says by which token it may be seen; nil: by none.
    mutating func show(_ user: Int, by token: Int?, sharesLastSeen: Bool = true, at node: Int) {
        homes[Self.user(user)] = node
        let settings = PresenceSettings(token: token.map(Self.digest), sharesLastSeen: sharesLastSeen)
        step(node, .settingsChanged(Self.user(user), settings))
    }

    mutating func watch(_ session: UInt64, _ wishes: [(user: Int, token: Int)], at node: Int) {
        let targets = wishes.map { wish in
            let user = Self.user(wish.user)
            return PresenceDesk.Target(PresenceWish(user: user, token: Self.token(wish.token)), home: homes[user].map(Self.node))
        }
        step(node, .subscribed(SessionID(session), targets))
    }

    mutating func connect(_ one: Int, _ other: Int) {
        isUp.formUnion([[one, other], [other, one]])
        step(one, .linkUp(Self.node(other)))
        step(other, .linkUp(Self.node(one)))
    }

    mutating func disconnect(_ one: Int, _ other: Int) {
        isUp.subtract([[one, other], [other, one]])
        step(one, .linkDown(Self.node(other)))
        step(other, .linkDown(Self.node(one)))
    }

    /// Its memory is gone; nobody was told. Its links still look up to the others.
    mutating func replace(_ node: Int) {
        desks[node] = PresenceDesk(node: Self.node(node))
        isUp = isUp.filter { !$0.contains(node) }
    }

    /// Time passes, with every deadline in it.
    mutating func wait(_ duration: Duration) {
        let end = now + duration
        while let next = desks.compactMap(\.nextDeadline).min(), next <= end {
            now = max(now, next)
            for node in desks.indices where desks[node].nextDeadline.map({ $0 <= now }) ?? false { step(node, .deadlineReached) }
        }
        now = end
    }

    // MARK: What is seen

    func seen(_ user: Int, by session: UInt64) -> Presence? { beliefs[SessionID(session)]?[Self.user(user)] }
    func frames(to session: UInt64) -> Int { framesToSession[SessionID(session)] ?? 0 }
    func frames(from one: Int, to other: Int) -> [LinkFrame] { framesOnLink[[one, other]] ?? [] }

    mutating func forgetTraffic() { (framesToSession, framesOnLink, calls) = ([:], [:], []) }
}
