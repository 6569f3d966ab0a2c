internal import Vocabulary

/// The users of other nodes that sessions of ours watch: what their homes were asked, and said.
struct RemotePresence: Sendable {
    private struct Remote: Sendable {
        /// Nil while no such user is known.
        var home: NodeID?
        /// The tokens that sessions of ours named, each with how many did.
        var tokens: [Bytes32: Int] = [:]
        /// By token, since not every token need be right.
        var seen: [Bytes32: Presence] = [:]
        /// The home has told a minute by this token: the user shares it.
        var shares: Set<Bytes32> = []
    }

    private var remotes: [UserID: Remote] = [:]
    private var byHome: [NodeID: Set<UserID>] = [:]
    private var linked: Set<NodeID> = []
    /// Links that were lost, and since when: rising.
    private var lost: [(at: Instant, peer: NodeID)] = []
    /// Users of whom their home is to be told something.
    private var dirty: Set<UserID> = []
    /// Of users whom nobody watches any more, or who moved: what their former home is to be told.
    private var unwanted: [NodeID: Set<UserID>] = [:]

    var homes: [NodeID] { byHome.keys.sorted() }
    var nextDeadline: Instant? { lost.first.map { $0.at + Limits.presenceLinkGrace } }

    func watches(_ user: UserID) -> Bool { remotes[user] != nil }
    func view(of user: UserID, by token: Bytes32) -> Presence {
        guard let remote = remotes[user], let home = remote.home else { return .unheard }
        return remote.seen[token] ?? (linked.contains(home) ? .unheard : .unreachable)
    }

    // MARK: Wishes

    mutating func watch(_ user: UserID, by token: Bytes32, home: NodeID?) {
        if remotes[user] == nil {
            remotes[user] = Remote(home: home)
            if let home { byHome[home, default: []].insert(user) }
        }
        remotes[user]?.tokens[token, default: 0] += 1
        if remotes[user]?.tokens[token] == 1 { dirty.insert(user) }
    }

    mutating func unwatch(_ user: UserID, by token: Bytes32) {
        guard let count = remotes[user]?.tokens[token] else { return }
        guard count == 1 else {
            remotes[user]?.tokens[token] = count - 1
            return
        }
        remotes[user]?.tokens[token] = nil
        remotes[user]?.seen[token] = nil
        remotes[user]?.shares.remove(token)
        if remotes[user]?.tokens.isEmpty == true { forget(user) } else { dirty.insert(user) }
    }

    mutating func forget(_ user: UserID) {
        guard let remote = remotes.removeValue(forKey: user) else { return }
        dirty.remove(user)
        leave(remote.home, user)
    }

    mutating func move(_ user: UserID, to home: NodeID?) {
        guard let remote = remotes[user], remote.home != home else { return }
        leave(remote.home, user)
        remotes[user] = Remote(home: home, tokens: remote.tokens)
        if let home { byHome[home, default: []].insert(user) }
        dirty.insert(user)
    }

    private mutating func leave(_ home: NodeID?, _ user: UserID) {
        guard let home else { return }
        byHome[home]?.remove(user)
        if byHome[home]?.isEmpty == true { byHome[home] = nil }
        unwanted[home, default: []].insert(user)
    }

    // MARK: Their homes

    mutating func linkUp(_ peer: NodeID) {
        linked.insert(peer)
        lost.removeAll { $0.peer == peer }
        askAgain(peer)
    }

    mutating func askAgain(_ peer: NodeID) { dirty.formUnion(byHome[peer] ?? []) }

    mutating func linkDown(_ peer: NodeID, at now: Instant) {
        guard linked.remove(peer) != nil, byHome[peer] != nil else { return }
        lost.removeAll { $0.peer == peer }
        lost.append((now, peer))
    }

    /// The nodes whose links were not made again in time.
    mutating func takeLost(at now: Instant) -> [NodeID] {
        let due = lost.prefix { $0.at + Limits.presenceLinkGrace <= now }.map(\.peer)
        lost.removeFirst(due.count)
        return due
    }

    /// Its users are offline as far as anybody can tell; those who share it and were online were last seen now.
    /// - Returns: the users that may look different.
    mutating func lose(_ peer: NodeID, minute: UInt64) -> [UserID] {
        let users = (byHome[peer] ?? []).sorted()
        for user in users {
            guard let remote = remotes[user] else { continue }
            for token in remote.tokens.keys {
                switch remote.seen[token] {
                case .online where remote.shares.contains(token): remotes[user]?.seen[token] = .offline(lastSeen: minute)
                case .offline(.some): break
                case .online, .offline(nil), .unheard, .unreachable, nil: remotes[user]?.seen[token] = .unreachable
                }
            }
        }
        return users
    }

    /// - Returns: the users that may look different. Of a user the home alone may speak.
    mutating func take(_ news: [PresenceNews], from peer: NodeID) -> [UserID] {
        var changed: [UserID] = []
        for item in news {
            guard let remote = remotes[item.user], remote.home == peer,
                let token = item.token ?? (remote.tokens.count == 1 ? remote.tokens.keys.first : nil), remote.tokens[token] != nil
            else { continue }
            let presence = item.presence.checked
            switch presence {
            case .offline(.some): remotes[item.user]?.shares.insert(token)
            case .offline(nil), .unheard: remotes[item.user]?.shares.remove(token)
            case .online, .unreachable: break
            }
            guard remote.seen[token] != presence else { continue }
            remotes[item.user]?.seen[token] = presence
            changed.append(item.user)
        }
        return changed
    }

    /// What this step's changes make it say, and whom to call since there is no link.
    mutating func takeFrames() -> (frames: [(peer: NodeID, frame: LinkFrame)], calls: [NodeID]) {
        guard !dirty.isEmpty || !unwanted.isEmpty else { return ([], []) }
        defer { (dirty, unwanted) = ([], [:]) }
        var frames: [(peer: NodeID, frame: LinkFrame)] = []
        for peer in unwanted.keys.sorted() where linked.contains(peer) {
            let users = (unwanted[peer] ?? []).filter { remotes[$0]?.home != peer }.sorted()
            for run in users.runs(of: Limits.presenceWishesMax) { frames.append((peer, .presenceUnwanted(run))) }
        }
        var wishes: [NodeID: [[PresenceWish]]] = [:]
        for user in dirty.sorted() {
            guard let remote = remotes[user], let home = remote.home else { continue }
            let tokens = remote.tokens.keys.sorted().prefix(Limits.presenceTokensPerUserMax)
            wishes[home, default: []].append(tokens.map { PresenceWish(user: user, token: $0) })
        }
        for peer in wishes.keys.sorted() where linked.contains(peer) {
            // All of a user's wishes in one frame: a further one would take their place.
            var frame: [PresenceWish] = []
            for group in wishes[peer] ?? [] {
                if frame.count + group.count > Limits.presenceWishesMax {
                    frames.append((peer, .presenceWanted(frame)))
                    frame = []
                }
                frame += group
            }
            if !frame.isEmpty { frames.append((peer, .presenceWanted(frame))) }
        }
        return (frames, wishes.keys.filter { !linked.contains($0) }.sorted())
    }
}

extension Presence {
    /// As it may be passed on: whole minutes, of a size that any reader takes.
    fileprivate var checked: Presence {
        switch self {
        case .online: .online
        case .unheard: .unheard
        case .offline(let seconds?): .offline(lastSeen: seconds <= counterMax ? seconds - seconds % 60 : nil)
        // Whoever answers can be reached.
        case .offline(nil), .unreachable: .offline(lastSeen: nil)
        }
    }
}
