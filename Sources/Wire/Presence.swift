internal import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

// Who is online, and who may know.

extension ProtoPresenceSettings {
    init(_ settings: PresenceSettings) {
        if let token = settings.token { self.token = Data(token) }
        sharesLastSeen = settings.sharesLastSeen
    }

    func value() throws(WireError) -> PresenceSettings {
        PresenceSettings(token: token.isEmpty ? nil : try token.id("presence.token"), sharesLastSeen: sharesLastSeen)
    }
}

extension ProtoPresenceWish {
    init(_ wish: PresenceWish) {
        user = Data(wish.user)
        token = Data(wish.token)
    }
}

extension [ProtoPresenceWish] {
    func wishes() throws(WireError) -> [PresenceWish] {
        try values("wishes", max: Limits.presenceWishesMax) { wish throws(WireError) in
            PresenceWish(user: try wish.user.id("wish.user"), token: try wish.token.bytes32("wish.token"))
        }
    }
}

extension ProtoPresenceNews {
    init(_ news: PresenceNews) {
        user = Data(news.user)
        if let token = news.token { self.token = Data(token) }
        switch news.presence {
        case .online: online = true
        case .offline(let seen): if let seen { lastSeen = seen }
        case .unheard: unheard = true
        case .unreachable: unreachable = true
        }
    }

    /// A time finer than a minute is refused: it says more than the user agreed to.
    fileprivate func value() throws(WireError) -> PresenceNews {
        let user: UserID = try user.id("news.user")
        let token = self.token.isEmpty ? nil : try self.token.bytes32("news.token")
        if unheard {
            guard !online, !hasLastSeen, !unreachable else { throw .badValue("news.unheard") }
            return PresenceNews(user: user, presence: .unheard, token: token)
        }
        if unreachable {
            guard !online, !hasLastSeen else { throw .badValue("news.unreachable") }
            return PresenceNews(user: user, presence: .unreachable, token: token)
        }
        guard hasLastSeen else { return PresenceNews(user: user, presence: online ? .online : .offline(lastSeen: nil), token: token) }
        guard !online, lastSeen.isMultiple(of: 60) else { throw .badValue("news.last_seen") }
        return PresenceNews(user: user, presence: .offline(lastSeen: try lastSeen.bounded("news.last_seen")), token: token)
    }
}

extension [ProtoPresenceNews] {
    func news() throws(WireError) -> [PresenceNews] {
        try values("news", max: Limits.presenceNewsPerFrameMax) { news throws(WireError) in try news.value() }
    }
}
