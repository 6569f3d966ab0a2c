internal import Cryptography
package import Vocabulary

/// Who is online, told to those who hold the user's presence token and nobody else.
///
/// A user's home knows by the sessions. Each session names whom it watches and by which token; for users of another node this one asks that
/// node, once however many watch, and it is the home that compares the token: so what a node learns of contacts is the live wishes. All of it
/// is in memory: who comes back says it again. What is told of one user is told once a second at most, the newest: a flapping
/// device costs its watchers no more than that.
///
/// After a start the home cannot tell a right token from a wrong one until the user's device has named it, and says that it has not heard of
/// the user. By a token that is never named it goes on saying so: or whoever holds a wrong one would see when the user comes back.
/// Source: docs/protocol/client-session.md, "Presence"; docs/protocol/node-link.md, "Presence".
package struct PresenceDesk: Core {
    package enum Input: Sendable {
        case clockRead(Timestamp)
        /// A device of ours was authenticated in this session; and the session's end.
        case signedIn(SessionID, UserID)
        case signedOut(SessionID)
        /// What a device of ours said; the newest word of any device counts for the user.
        case settingsChanged(UserID, PresenceSettings)
        /// The whole list of a session, each with the home of the user, nil where no such user is known.
        case subscribed(SessionID, [Target])
        case homeChanged(UserID, NodeID?)
        /// Whom a user of ours blocks.
        case blocksChanged(UserID, Set<UserID>)

        case linkUp(NodeID)
        case linkDown(NodeID)
        /// Liveness gave it up, or saw it again.
        case nodeDied(NodeID)
        case nodeCameBack(NodeID)
        case wanted([PresenceWish], by: NodeID)
        case unwanted([UserID], by: NodeID)
        case told([PresenceNews], by: NodeID)
        case deadlineReached
    }

    package enum Effect: Hashable, Sendable {
        case tell(SessionID, [PresenceNews])
        case send(NodeID, LinkFrame)
        /// There is no link to a node that this one wants to ask.
        case call(NodeID)
    }

    package struct Target: Hashable, Sendable {
        package let wish: PresenceWish
        package let home: NodeID?
        package init(_ wish: PresenceWish, home: NodeID?) { (self.wish, self.home) = (wish, home) }
    }

    struct Local: Sendable {
        var settings: PresenceSettings?
        var sessions = 0
        var lastSeen: UInt64?
        /// All that were right since this node started, the present one too.
        var tokens: [Digest] = []
        /// Who was blocked when the user was first heard of, and is since: hears what was heard before.
        var blockedBefore: Set<UserID> = []

        mutating func set(_ new: PresenceSettings, blocked: Set<UserID>) {
            if settings == nil { blockedBefore = blocked }
            settings = new
            guard let token = new.token, !tokens.contains(token) else { return }
            tokens = tokens.suffix(Limits.presenceTokensPerUserMax - 1) + [token]
        }
    }

    /// What a session or a node was told last of a user, by the token it named.
    struct Watch: Sendable {
        let token: Bytes32
        var told: Presence
    }

    struct Watcher: Sendable {
        let user: UserID
        var watches: [UserID: Watch] = [:]
    }

    static let hidden = Presence.offline(lastSeen: nil)

    let node: NodeID
    var minute: UInt64 = 0
    var locals: [UserID: Local] = [:]
    var blocks: [UserID: Set<UserID>]
    var remotes = RemotePresence()

    var sessions: [SessionID: Watcher] = [:]
    var sessionsWatching: [UserID: Set<SessionID>] = [:]
    var watches = 0
    var peers: [NodeID: [UserID: [Watch]]] = [:]
    var peersWatching: [UserID: Set<NodeID>] = [:]
    var watchesOfPeer: [NodeID: Int] = [:]

    /// Users of whom something was told within the last second: when, and whether there is more to tell.
    private var paced: [UserID: (at: Instant, isDirty: Bool)] = [:]
    private var pace: ArraySlice<(at: Instant, user: UserID)> = []

    // What this step orders.
    var toSessions: [SessionID: [PresenceNews]] = [:]
    var toPeers: [NodeID: [PresenceNews]] = [:]
    var calls: Set<NodeID> = []

    /// - Parameter blocks: whom each user of ours blocks.
    package init(node: NodeID, blocks: [UserID: Set<UserID>] = [:]) { (self.node, self.blocks) = (node, blocks) }

    package var nextDeadline: Instant? {
        [pace.first.map { $0.at + Limits.presenceInterval }, remotes.nextDeadline].compactMap { $0 }.min()
    }

    /// The nodes whose users are watched here: a link to them is wanted.
    package var homes: [NodeID] { remotes.homes }

    package mutating func step(_ input: Input, at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        switch input {
        case .clockRead(let time): minute = time.seconds - time.seconds % 60
        case .signedIn(let session, let user): signIn(session, user, at: now)
        case .signedOut(let session): signOut(session, at: now)
        case .settingsChanged(let user, let settings):
            locals[user, default: Local()].set(settings, blocked: blocks[user] ?? [])
            changed(user, at: now)
        case .subscribed(let session, let targets): subscribe(session, targets)
        case .homeChanged(let user, let home): move(user, to: home, at: now)
        case .blocksChanged(let user, let others):
            blocks[user] = others.isEmpty ? nil : others
            locals[user]?.blockedBefore.formIntersection(others)
            changed(user, at: now)
        case .linkUp(let peer): remotes.linkUp(peer)
        case .linkDown(let peer):
            remotes.linkDown(peer, at: now)
            forget(peer)
        case .nodeDied(let peer): lose(peer, at: now)
        case .nodeCameBack(let peer): remotes.askAgain(peer)
        case .wanted(let wishes, let peer): want(wishes, by: peer)
        case .unwanted(let users, let peer): for user in users { unwant(user, by: peer) }
        case .told(let news, let peer): for user in remotes.take(news, from: peer) { changed(user, at: now) }
        case .deadlineReached:
            for peer in remotes.takeLost(at: now) { lose(peer, at: now) }
            tellPaced(at: now)
        }
        return takeEffects()
    }

    private mutating func takeEffects() -> [Effect] {
        var effects: [Effect] = []
        for session in toSessions.keys.sorted() {
            for news in (toSessions[session] ?? []).runs(of: Limits.presenceWishesMax) { effects.append(.tell(session, news)) }
        }
        for peer in toPeers.keys.sorted() {
            for news in (toPeers[peer] ?? []).runs(of: Limits.presenceWishesMax) { effects.append(.send(peer, .presence(news))) }
        }
        let (frames, calls) = remotes.takeFrames()
        effects += frames.map { .send($0.peer, $0.frame) } + calls.map(Effect.call)
        (toSessions, toPeers) = ([:], [:])
        return effects
    }

    // MARK: Our users

    private mutating func signIn(_ session: SessionID, _ user: UserID, at now: Instant) {
        guard sessions[session] == nil else { return }
        sessions[session] = Watcher(user: user)
        locals[user, default: Local()].sessions += 1
        changed(user, at: now)
    }

    private mutating func signOut(_ session: SessionID, at now: Instant) {
        guard let watcher = sessions[session] else { return }
        for user in watcher.watches.keys.sorted() { unwatch(user, by: session) }
        sessions[session] = nil
        guard var local = locals[watcher.user] else { return }
        local.sessions -= 1
        if local.sessions == 0 { local.lastSeen = minute }
        locals[watcher.user] = local
        changed(watcher.user, at: now)
    }

    /// What may be seen of a user by this token.
    /// - Parameter asker: nil for another node: it watches for several of its users, and blocking one is done by a new token.
    func view(of user: UserID, by token: Bytes32, for asker: UserID?) -> Presence {
        if remotes.watches(user) { return asker == nil ? .unheard : remotes.view(of: user, by: token) }
        let digest = Hash.blake2b(token.bytes)
        guard let local = locals[user], let settings = local.settings, local.tokens.contains(digest) else { return .unheard }
        if let asker, blocks[user]?.contains(asker) == true { return local.blockedBefore.contains(asker) ? .unheard : Self.hidden }
        guard settings.token == digest else { return Self.hidden }
        return local.sessions > 0 ? .online : .offline(lastSeen: settings.sharesLastSeen ? local.lastSeen : nil)
    }

    private mutating func move(_ user: UserID, to home: NodeID?, at now: Instant) {
        if home != node { locals[user] = nil }
        guard sessionsWatching[user] != nil else { return changed(user, at: now) }
        if home == node {
            remotes.forget(user)
        } else if remotes.watches(user) {
            remotes.move(user, to: home)
        } else {
            for session in (sessionsWatching[user] ?? []).sorted() {
                if let watch = sessions[session]?.watches[user] { remotes.watch(user, by: watch.token, home: home) }
            }
        }
        changed(user, at: now)
    }

    private mutating func lose(_ peer: NodeID, at now: Instant) {
        for user in remotes.lose(peer, minute: minute) { changed(user, at: now) }
    }

    // MARK: Telling

    /// Tells at once what is new of a user, unless something was told within the last second: then when that has passed.
    private mutating func changed(_ user: UserID, at now: Instant) {
        guard sessionsWatching[user] != nil || peersWatching[user] != nil else { return }
        if let last = paced[user] {
            paced[user] = (last.at, true)
        } else if tell(user) {
            paced[user] = (now, false)
            pace.append((now, user))
        }
    }

    private mutating func tellPaced(at now: Instant) {
        while let first = pace.first, first.at + Limits.presenceInterval <= now {
            pace.removeFirst()
            guard paced.removeValue(forKey: first.user)?.isDirty == true, tell(first.user) else { continue }
            paced[first.user] = (now, false)
            pace.append((now, first.user))
        }
    }

    /// - Returns: false when nobody sees a difference.
    private mutating func tell(_ user: UserID) -> Bool {
        var hasTold = false
        for session in (sessionsWatching[user] ?? []).sorted() {
            guard let watcher = sessions[session], let watch = watcher.watches[user] else { continue }
            let seen = view(of: user, by: watch.token, for: watcher.user)
            guard seen != watch.told else { continue }
            sessions[session]?.watches[user]?.told = seen
            toSessions[session, default: []].append(PresenceNews(user: user, presence: seen))
            hasTold = true
        }
        for peer in (peersWatching[user] ?? []).sorted() {
            for (index, watch) in (peers[peer]?[user] ?? []).enumerated() {
                let seen = view(of: user, by: watch.token, for: nil)
                guard seen != watch.told else { continue }
                peers[peer]?[user]?[index].told = seen
                toPeers[peer, default: []].append(PresenceNews(user: user, presence: seen, token: watch.token))
                hasTold = true
            }
        }
        return hasTold
    }
}

extension Array {
    func runs(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
