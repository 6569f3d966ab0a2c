internal import Vocabulary

// Who watches whom: sessions of ours, and other nodes.
extension PresenceDesk {
    /// Puts a session's list in the place of the one before, and answers with what may be seen of each now.
    mutating func subscribe(_ session: SessionID, _ targets: [Target]) {
        guard let watcher = sessions[session] else { return }
        var wanted: [UserID: Target] = [:]
        var order: [UserID] = []
        for target in targets.prefix(Limits.presenceWishesMax) where wanted[target.wish.user] == nil {
            wanted[target.wish.user] = target
            order.append(target.wish.user)
        }
        for user in watcher.watches.keys.sorted() where wanted[user]?.wish.token != watcher.watches[user]?.token {
            unwatch(user, by: session)
        }
        for user in order {
            guard let target = wanted[user] else { continue }
            var seen = Presence.unheard
            if sessions[session]?.watches[user] != nil || watches < Limits.presenceWatchesMax {
                watch(target, by: session)
                seen = view(of: user, by: target.wish.token, for: watcher.user)
                sessions[session]?.watches[user]?.told = seen
            }
            toSessions[session, default: []].append(PresenceNews(user: user, presence: seen))
        }
    }

    private mutating func watch(_ target: Target, by session: SessionID) {
        let user = target.wish.user
        guard sessions[session]?.watches[user] == nil else { return }
        watches += 1
        sessions[session]?.watches[user] = Watch(token: target.wish.token, told: .unheard)
        sessionsWatching[user, default: []].insert(session)
        if target.home != node { remotes.watch(user, by: target.wish.token, home: target.home) }
    }

    mutating func unwatch(_ user: UserID, by session: SessionID) {
        guard let watch = sessions[session]?.watches.removeValue(forKey: user) else { return }
        watches -= 1
        sessionsWatching[user]?.remove(session)
        if sessionsWatching[user]?.isEmpty == true { sessionsWatching[user] = nil }
        remotes.unwatch(user, by: watch.token)
    }

    // MARK: Other nodes

    /// What another node's users want of ours, in place of what it said of the same users before. Answered at once, the unknown and the
    /// forbidden like one who was not heard of.
    mutating func want(_ wishes: [PresenceWish], by peer: NodeID) {
        for user in Set(wishes.map(\.user)).sorted() { unwant(user, by: peer) }
        for wish in wishes {
            let seen = view(of: wish.user, by: wish.token, for: nil)
            toPeers[peer, default: []].append(PresenceNews(user: wish.user, presence: seen, token: wish.token))
            let known = peers[peer]?[wish.user] ?? []
            guard watchesOfPeer[peer, default: 0] < Limits.presenceWatchesPerLinkMax, known.count < Limits.presenceTokensPerUserMax,
                !known.contains(where: { $0.token == wish.token })
            else { continue }
            watchesOfPeer[peer, default: 0] += 1
            peers[peer, default: [:]][wish.user, default: []].append(Watch(token: wish.token, told: seen))
            peersWatching[wish.user, default: []].insert(peer)
        }
    }

    mutating func unwant(_ user: UserID, by peer: NodeID) {
        guard let gone = peers[peer]?.removeValue(forKey: user) else { return }
        watchesOfPeer[peer, default: 0] -= gone.count
        peersWatching[user]?.remove(peer)
        if peersWatching[user]?.isEmpty == true { peersWatching[user] = nil }
    }

    /// Its link is gone: it asks again when it comes back.
    mutating func forget(_ peer: NodeID) {
        for user in (peers[peer] ?? [:]).keys { unwant(user, by: peer) }
        peers[peer] = nil
        watchesOfPeer[peer] = nil
    }
}
