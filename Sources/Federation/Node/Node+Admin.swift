internal import Cryptography
internal import Vocabulary

// What the operator asks. Source: docs/operating.md.
extension Node {
    mutating func listen(clients: Endpoint, peers: Endpoint, using random: inout some RandomNumberGenerator) {
        listening = (clients, peers)
        var writer = ByteWriter()
        writer.write(text: clients.description)
        writer.write(text: peers.description)
        out.append(.write(.put(.meta, key: Self.listeningKey, value: writer.bytes)))
        let contents = NodeDescriptor.Contents(peers: [peers], clients: [clients], software: software, incarnation: incarnation)
        perform(membership.step(.announced(contents), at: now, using: &random), using: &random)
        dialWanted()
    }

    mutating func answer(_ request: RequestID, _ question: AdminRequest, using random: inout some RandomNumberGenerator) {
        switch question {
        case .members: succeed(request, .members(memberReports))
        case .status: succeed(request, .status(status))
        case .queues(let count): succeed(request, .queues(queuesReport(count)))
        case .backup(let step): succeed(request, .backup(step))
        case .users: succeed(request, .users(directory.records().compactMap(report)))
        case .user(let address):
            guard let issuer = membership.evaluation.member(named: address.issuer)?.id,
                let user = directory.user(handle: address.handle, issuer: issuer), let record = directory.record(of: user),
                var report = report(record)
            else { return fail(request, .unknownUser(address.description)) }
            if record.home == id { report.keyPackages = report.devices.reduce(0) { $0 + keyPackages.count(of: $1) } }
            succeed(request, .users([report]))
        case .inviteNode(let name, let expires, let isAdmin):
            guard let listening else { return fail(request, .noAddress) }
            let invitation = Membership.Invitation(
                name: name, role: isAdmin ? .admin : .member, expiry: expires, endpoints: [listening.peers], now: wall)
            perform(membership.step(.inviteRequested(request, invitation), at: now, using: &random), using: &random)
        case .expel(let name, let reason):
            guard let member = membership.evaluation.member(named: name) else {
                let wasMember = membership.evaluation.members.contains { $0.isExpelled && $0.name == name }
                return fail(request, wasMember ? .expelledAlready(name.description) : .unknownNode(name.description))
            }
            perform(
                membership.step(.expelRequested(request, member.id, reason: reason, lastN: nil), at: now, using: &random), using: &random)
        case .createInvitation(let uses, let expires):
            guard let listening else { return fail(request, .noAddress) }
            var writes: [StoreWrite] = []
            guard let secret = registrar.invite(uses: uses, expires: expires, at: wall, using: &random, writes: &writes) else {
                return fail(request, .tooMany("invitations"))
            }
            write(writes)
            succeed(request, .invitation(InvitationLink(endpoint: listening.clients, secret: secret, node: id).description))
        }
    }

    private mutating func succeed(_ request: RequestID, _ answer: AdminAnswer) { out.append(.answer(request, .success(answer))) }
    private mutating func fail(_ request: RequestID, _ error: AdminError) { out.append(.answer(request, .failure(error))) }

    // MARK: Reports

    private var memberReports: [MemberReport] {
        let snapshot = Dictionary(liveness.snapshot.map { ($0.node, $0) }, uniquingKeysWith: { first, _ in first })
        return membership.evaluation.members.map { member in
            let health = snapshot[member.id]
            return MemberReport(
                name: name(of: member), id: member.id, role: member.role == .admin ? "admin" : "member",
                state: state(of: member, health: health?.lastSeen == nil && health?.state == .alive ? nil : health?.state),
                seenSecondsAgo: health?.lastSeen.map { Double((now - $0).milliseconds) / 1000 },
                rttMilliseconds: health?.roundTrip.map { Double($0.nanoseconds) / 1e6 },
                queued: queues.count(of: .node(member.id)), software: member.descriptor?.contents.software,
                peers: member.descriptor?.contents.peers ?? [], reason: reason(of: member), isSelf: member.id == id)
        }.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
    }

    private func name(of member: Member) -> String {
        if let name = member.name { return name.description }
        if case .nameConflict(let name) = member.state { return "\(name)?" }
        return "?"
    }

    private func reason(of member: Member) -> String? { if case .expelled(let reason) = member.state { reason } else { nil } }

    private func state(of member: Member, health: LivenessClaim.State?) -> String {
        switch member.state {
        case .expelled: return "expelled"
        case .nameConflict: return "name-conflict"
        case .active:
            if member.id == id { return "self" }
            switch health {
            case .alive: return "alive"
            case .suspect: return "suspect"
            case .dead: return "dead"
            case nil: return "unknown"
            }
        }
    }

    private func report(_ record: UserRecord) -> UserReport? {
        guard let address = address(of: record) else { return nil }
        return UserReport(
            address: address.description, user: record.user, home: record.home,
            homeName: membership.evaluation[record.home]?.name?.description ?? record.home.short, devices: record.devices.map(\.device),
            version: record.version)
    }

    private var status: NodeStatus {
        let me = membership.evaluation[id]
        var federationName = ""
        if case .genesis(let genesis)? = membership.kept.genesis?.statement { federationName = genesis.name }
        return NodeStatus(
            name: me?.name?.description ?? id.short, id: id, federation: membership.federation, federationName: federationName,
            role: me?.isExpelled == true ? "expelled" : me?.role == .admin ? "admin" : "member",
            usersHere: directory.localUserCount,
            usersKnown: directory.userCount, sessions: sessions.authenticatedCount, queuedMessages: queues.entries,
            queuedBytes: queues.bytes, logReaders: logReaders.count, peersUp: links.established.count,
            members: membership.evaluation.active.count,
            upTimeSeconds: upTime, refusingForSpace: isSpaceLow,
            recovering: hub.recovering.count, isTakingUp: hub.isTakingUp, restored: hub.restoration, clients: listening?.clients,
            peersAddress: listening?.peers,
            oldestSeconds: queues.oldest.map { Double(max(0, wall.milliseconds - $0.milliseconds)) / 1000 }, counters: counters)
    }
}
