internal import Vocabulary

// Presence: what the desk is told and what it orders; and the frames of a link that are the home's.
extension Node {
    mutating func presence(_ input: PresenceDesk.Input) {
        // The desk draws nothing.
        var random = NoRandom()
        for effect in desk.step(input, at: now, using: &random) {
            switch effect {
            case .tell(let session, let news): out.append(.sendSession(session, .presence(news)))
            case .send(let peer, let frame): if let link = links.link(to: peer) { out.append(.sendLink(link, frame)) }
            case .call(let peer): if membership.evaluation.isMember(peer) { dial(peer) }
            }
        }
    }

    mutating func subscribe(_ wishes: [PresenceWish], in session: SessionID) {
        guard sessions.maySubscribe(session, at: now) else {
            return refuse(session, Refusal(.rateLimited, "More than \(Int(Limits.subscriptionsPerSecond)) lists of wishes a second."))
        }
        presence(.subscribed(session, wishes.map { PresenceDesk.Target($0, home: directory.home(of: $0.user)) }))
    }

    // MARK: Links

    mutating func homeLinkUp(_ peer: NodeID) {
        askForKeyPackages(peer)
        presence(.linkUp(peer))
    }

    mutating func homeLinkDown(_ peer: NodeID) {
        claims.linkDown(peer)
        presence(.linkDown(peer))
    }

    /// The frames that home says to home.
    mutating func receiveAtHome(_ frame: LinkFrame, on link: LinkID, from peer: NodeID) {
        switch frame {
        case .claimKeyPackages(let request, let asker, let users): claim(users, request, by: asker, of: peer, on: link)
        case .keyPackages(let request, let claimed): receive(claimed: claimed, request, from: peer)
        case .presenceWanted(let wishes): presence(.wanted(wishes, by: peer))
        case .presenceUnwanted(let users): presence(.unwanted(users, by: peer))
        case .presence(let news): presence(.told(news, by: peer))
        default: break
        }
    }
}

private struct NoRandom: RandomNumberGenerator {
    mutating func next() -> UInt64 { 0 }
}
