internal import Cryptography
internal import Vocabulary

// What other nodes say. Source: docs/protocol/node-link.md.
extension Node {
    // MARK: Coming and going

    /// Whom this node keeps a link to: everybody in a small federation; in a large one a few, and whoever something waits for. Of those that
    /// have told where they can be dialled: the others have to call.
    var wantedPeers: [NodeID] {
        guard peers.count > Self.fullMeshMax else { return peers.filter { endpoints[$0] != nil } }
        // Neighbours on the ring of ids: a connected graph, the same few peers at every start.
        let start = peers.firstIndex { $0 > id } ?? 0
        var wanted = Set((0..<Self.neighbours).map { peers[(start + $0 * $0) % peers.count] })
        for destination in queues.waiting {
            if case .node(let node) = destination, membership.evaluation.isMember(node) { wanted.insert(node) }
        }
        wanted.formUnion(desk.homes)
        return wanted.filter { endpoints[$0] != nil }.sorted()
    }

    static let fullMeshMax = 32
    static let neighbours = 6

    mutating func dialWanted() {
        guard !isStopping, listening != nil else { return }
        for peer in wantedPeers { dial(peer) }
    }

    mutating func dial(_ peer: NodeID) {
        guard !isStopping, let told = endpoints[peer], links.startDialling(peer, at: now) else { return }
        out.append(.dial(peer, told))
    }

    mutating func open(_ link: LinkID, peer: NodeID, dialled: Bool) {
        let isMember = membership.evaluation.isMember(peer)
        if let refusal = links.open(link, peer: peer, dialled: dialled, isMember: isMember, at: now) { return close(link, refusal) }
        if membership.evaluation[peer]?.isExpelled == true {
            return close(link, Refusal(.nodeExpelled, "This key was expelled from the federation."))
        }
        // A stranger speaks first: it may only want to join.
        if isMember { sayHello(link, peer) }
    }

    mutating func sayHello(_ link: LinkID, _ peer: NodeID) {
        out.append(
            .sendLink(
                link,
                .hello(
                    versions: .current, federation: membership.federation, readThrough: links.read(from: peer),
                    statements: membership.digest)))
    }

    mutating func close(_ link: LinkID, _ refusal: Refusal) {
        if let peer = links[link]?.peer { out.append(.note(.linkRefused(peer, refusal))) }
        out.append(.closeLink(link, refusal))
    }

    mutating func closed(_ link: LinkID, using random: inout some RandomNumberGenerator) {
        guard let (peer, wasInUse) = links.close(link, at: now, using: &random), wasInUse else { return }
        queues.detach(.link(link), from: .node(peer))
        giveUpGroupRequests(to: peer)
        out.append(.note(.linkDown(peer)))
        perform(liveness.step(.linkDown(peer), at: now, using: &random))
        perform(directory.step(.linkDown(peer), at: now, using: &random))
        perform(membership.step(.linkDown(peer), at: now, using: &random), using: &random)
        homeLinkDown(peer)
    }

    mutating func establish(
        _ link: LinkID, _ peer: NodeID, cursor: QueuePosition, using random: inout some RandomNumberGenerator
    ) {
        let loser = links.establish(link, at: now)
        if let loser {
            out.append(.closeLink(loser, Refusal(.replacedByNewerSession, "Another link between these nodes is in use.")))
            if loser == link { return }
            queues.detach(.link(loser), from: .node(peer))
        }
        let destination = Destination.node(peer)
        write(queues.acknowledge(destination, through: cursor))
        if links.returned(peer, having: cursor) { refill(peer) }
        queues.attach(.link(link), to: destination)
        out.append(.note(.linkUp(peer)))
        perform(membership.step(.linkUp(peer), at: now, using: &random), using: &random)
        perform(directory.step(.linkUp(peer), at: now, using: &random))
        perform(liveness.step(.linkUp(peer), at: now, using: &random))
        homeLinkUp(peer)
        goOn(destination)
    }

    // MARK: Frames

    mutating func receive(_ frame: LinkFrame, on link: LinkID, using random: inout some RandomNumberGenerator) {
        guard let state = links[link] else { return }
        if let refusal = links.countFrame(link) { return close(link, refusal) }
        let peer = state.peer
        switch (state.phase, frame) {
        case (_, .goodbye(let refusal)):
            if refusal.code != .shuttingDown, refusal.code != .replacedByNewerSession { out.append(.note(.linkRefused(peer, refusal))) }
            out.append(.closeLink(link, nil))
        case (.opened, .hello(let versions, let federation, let cursor, _)):
            hello(link, peer, versions: versions, federation: federation, cursor: cursor, using: &random)
        case (.opened, .join(let request)): join(link, peer, request, using: &random)
        case (.unproven, .statements(let statements)), (.established, .statements(let statements)):
            perform(membership.step(.received(statements, from: peer), at: now, using: &random), using: &random)
        case (.established, .entry(let position, let item)): receive(item, at: position, on: link, from: peer, using: &random)
        case (.established, .acknowledge(let position)):
            links.acknowledged(by: peer, through: position)
            let freed = queues.acknowledge(.node(peer), through: position)
            write(freed)
            // What it has said before makes no room.
            if !freed.isEmpty { goOn(.node(peer)) }
        case (.opened, .statementsDigest(let digest)), (.established, .statementsDigest(let digest)):
            guard membership.evaluation.isMember(peer) else { return }
            perform(membership.step(.digestReceived(digest, from: peer), at: now, using: &random), using: &random)
        case (.established, .liveness(let message)):
            perform(liveness.step(.received(message, from: peer), at: now, using: &random))
        case (.established, .claimKeyPackages), (.established, .keyPackages), (.established, .presenceWanted),
            (.established, .presenceUnwanted), (.established, .presence):
            receiveAtHome(frame, on: link, from: peer)
        case (.established, .fetchGroup(let request, let key, let device)): answerGroup(request, key, by: device, on: link, from: peer)
        case (.established, .group(let request, let part)): received(part, to: request, from: peer)
        case (.established, .refusedRequest(let request, let refusal)):
            if !claimRefused(request, by: peer) { groupRefused(request, refusal, from: peer) }
        case (.established, .refetch(let key, let device, let from, let through)):
            guard let user = hub.user(of: device, in: key.conversation) else { return refuseRefetch(key, by: device, at: peer) }
            guard directory.home(of: user) == peer else { return }
            refetch(key, by: RosterEntry(user: user, device: device), from: from, through: through)
        case (.established, .signal(let signal, let recipients)): receive(signal, for: recipients, from: peer)
        case (.established, .records), (.established, .reconcile), (.established, .recordsWanted), (.established, .equivocation),
            (.established, .lookup), (.established, .found), (.established, .takesPackedRecords), (.established, .packedRecords):
            if !isSpaceLow { perform(directory.step(.frameReceived(frame, from: peer), at: now, using: &random)) }
        default:
            // Before that, what crosses our own first frames is ignored, not punished.
            if case .established = state.phase { close(link, Refusal(.badFrame, "This frame does not belong here on a link.")) }
        }
    }

    private mutating func hello(
        _ link: LinkID, _ peer: NodeID, versions: VersionRange, federation: FederationID, cursor: QueuePosition,
        using random: inout some RandomNumberGenerator
    ) {
        guard VersionRange.current.common(with: versions) != nil else {
            return close(link, Refusal(.versionUnsupported, "This node speaks version \(VersionRange.current.highest)."))
        }
        guard federation == membership.federation else {
            return close(link, Refusal(.otherFederation, "This node belongs to federation \(membership.federation.short)."))
        }
        if membership.evaluation.isMember(peer) { return establish(link, peer, cursor: cursor, using: &random) }
        // Admitted elsewhere, and the word has not come here yet: ask for its statements. Our hello waits, for after it the peer sends
        // what this side would not yet take.
        links.markUnproven(link, cursor: cursor)
        out.append(.sendLink(link, .statementsDigest(membership.digest)))
    }

    private mutating func join(
        _ link: LinkID, _ peer: NodeID, _ request: JoinRequest, using random: inout some RandomNumberGenerator
    ) {
        if isSpaceLow { return close(link, Refusal(.diskFull, "The node's disk is full.")) }
        perform(membership.step(.joinRequested(request, from: peer, at: wall), at: now, using: &random), using: &random)
    }

    // MARK: The peer's queue for us

    private mutating func receive(
        _ item: NodeItem, at position: QueuePosition, on link: LinkID, from peer: NodeID, using random: inout some RandomNumberGenerator
    ) {
        // Not acknowledged: the peer keeps it until there is room, and sends it again over the next link.
        if isSpaceLow { return links.skip(link) }
        guard links[link]?.hasSkipped == false, links.advance(peer, to: position) else { return }
        switch item {
        case .submission(let submission, let sender): receive(submission, from: sender, of: peer)
        case .event(let envelope, let recipients): receive(envelope, for: recipients, from: peer)
        case .accepted(let acceptance, let device):
            guard acceptance.key.hub == peer, let user = directory.user(ofLocal: device) else { return }
            enqueue(.accepted(acceptance), for: device, from: peer, on: .answers(user, of: peer))
        case .failed(let failure, let device):
            // What its device asked for, wherever the hub is: else one user could use up what a hub may have here.
            if failure.key.hub == peer, let user = directory.user(ofLocal: device) {
                enqueue(.failed(failure), for: device, from: peer, on: .answers(user, of: peer))
            } else if failure.key.hub == id, let user = hub.user(of: device, in: failure.key.conversation),
                hub.isWaiting(failure.message, of: device, in: failure.key.conversation),
                // In a group the device is passed over: it sees the gap, and others have the message.
                hub.userCount(of: failure.key.conversation) <= 2,
                hub.roster(of: failure.key.conversation).contains(where: { directory.home(of: $0.user) == peer })
            {
                // A recipient's home could not keep it: the hub passes that on to the sender.
                notify(RosterEntry(user: user, device: device), of: failure)
            }
        case .watermark(let watermark):
            guard watermark.key.hub == id, let user = hub.user(of: watermark.device, in: watermark.key.conversation),
                directory.home(of: user) == peer
            else { return }
            cover(watermark, of: user)
        case .receipt(let watermark, let devices):
            guard watermark.key.hub == peer else { return }
            let slot = Queues.Slot(key: watermark.key, device: watermark.device)
            for device in devices where isLocal(device) { enqueue(.watermark(watermark), for: device, slot: slot, from: peer) }
        case .welcome(let part, let recipients): receive(part, for: recipients, from: peer)
        case .mark(let mark, let devices):
            guard mark.key.hub == id, let user = hub.user(of: mark.device, in: mark.key.conversation), directory.home(of: user) == peer
            else { return }
            relay(mark, to: devices, of: user)
        case .marked(let mark, let devices):
            guard mark.key.hub == peer else { return }
            for device in devices where isLocal(device) { take(mark, for: device, from: peer) }
        }
    }

    private mutating func receive(_ submission: Submission, from sender: RosterEntry, of peer: NodeID) {
        let home = directory.home(of: sender.user)
        // An honest home forwards for its own users alone, and to the hub alone. What else comes is dropped, or a member could fill our
        // queues with answers.
        guard submission.hub == id, home == nil || home == peer else { return count("foreign_submissions_dropped") }
        let refusal = home == nil ? Refusal(.unknownUser, "The hub does not know the sender yet.") : order(submission, from: sender)
        guard let refusal else { return }
        // Its home said `sent`: the refusal must reach the sender.
        let key = ConversationKey(hub: submission.hub, conversation: submission.conversation)
        enqueue(
            .failed(Failure(key: key, message: submission.message, refusal: refusal), device: sender.device), for: peer,
            on: .messages(sender.user, of: peer))
    }

    private mutating func receive(_ envelope: Envelope, for recipients: [DeviceID], from peer: NodeID) {
        guard envelope.key.hub == peer else { return }
        let local = recipients.filter { isLocal($0) && !isBlocked(envelope.key, for: $0) }
        guard !local.isEmpty else { return }
        let stored = StoredEvent(expires: upTime + UInt64(Limits.timeToLiveDefault.components.seconds), envelope: envelope)
        // Bytes that no entry refers to would stay for ever.
        let refusals = local.map { refusal(of: peer, for: $0) }
        if refusals.contains(where: { $0 == nil }) {
            out.append(.write(.storeEvent(envelope.eventKey, bytes: stored.encoded(), held: false)))
        }
        for (device, refusal) in zip(local, refusals) {
            if let refusal {
                let failure = Failure(key: envelope.key, message: envelope.message, refusal: refusal)
                enqueue(.failed(failure, device: envelope.sender.device), for: peer)
            } else {
                enqueue(.event(envelope), for: device, from: peer)
            }
        }
    }

    private mutating func receive(_ part: WelcomePart, for recipients: [DeviceID], from peer: NodeID) {
        guard part.key.hub == peer else { return }
        let local = recipients.filter {
            isLocal($0) && !isBlocked(.welcome(part), for: $0) && refusal(of: peer, for: $0) == nil
        }
        guard !local.isEmpty else { return }
        let stored = StoredWelcome(expires: upTime + UInt64(Limits.timeToLiveDefault.components.seconds), part: part)
        out.append(.write(.storeEvent(part.eventKey, bytes: stored.encoded(), held: false)))
        for device in local { enqueue(.welcome(part), for: device, from: peer) }
    }

    /// Why nothing more is taken of a hub for a device. Who takes what comes is not kept from it by what waits for others.
    private func refusal(of hub: NodeID, for device: DeviceID) -> Refusal? {
        if let refusal = queues.refusal(of: .hub(hub, for: device)) { return refusal }
        return queues.bytes(ofHub: hub, for: device) < Limits.pushWindowBytes ? nil : refusal(ofNode: hub)
    }

    private func isLocal(_ device: DeviceID) -> Bool { directory.isLocal(device) }
}
