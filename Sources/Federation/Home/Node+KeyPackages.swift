internal import Vocabulary

// KeyPackages of local devices, and claims of local users. Source: docs/protocol/client-session.md, "KeyPackages".
extension Node {
    // MARK: Publishing

    mutating func publish(_ supply: KeyPackageSupply, _ request: RequestID, by device: RosterEntry, in session: SessionID) {
        let refusal =
            isSpaceLow
            ? Refusal(.diskFull, "The node's disk is full.") : keyPackages.publish(supply, by: device, seconds: wall.seconds, at: now)
        out.append(.sendSession(session, refusal.map { .refusedRequest(request, $0) } ?? .done(request)))
    }

    mutating func tellKeyPackagesLeft(of device: DeviceID) {
        guard let session = sessions.session(of: device) else { return }
        out.append(.sendSession(session, .keyPackagesLeft(UInt32(clamping: keyPackages.count(of: device)))))
    }

    // MARK: Claiming

    /// The local devices that a claim of these users looks at, and the users for whom there was no room: one claim must not read the whole disk.
    private func devicesClaimed(by users: [UserID]) -> (devices: [DeviceID], passedOver: Set<UserID>) {
        var devices: [DeviceID] = []
        var passedOver: Set<UserID> = []
        for user in users.prefix(Limits.claimedUsersMax) {
            let its = localDevices(of: user)
            if devices.count + its.count <= Limits.claimedDevicesMax { devices += its } else { passedOver.insert(user) }
        }
        return (devices, passedOver)
    }

    func claimable(_ users: [UserID]) -> [DeviceID] { devicesClaimed(by: users).devices }

    func localDevices(of user: UserID) -> [DeviceID] {
        guard directory.home(of: user) == id else { return [] }
        return directory.record(of: user)?.devices.map(\.device).filter { directory.owns($0, user) } ?? []
    }

    mutating func claim(_ users: [UserID], _ request: RequestID, by device: RosterEntry, in session: SessionID) {
        guard (1...Limits.claimedUsersMax).contains(users.count), Set(users).count == users.count else {
            return out.append(
                .sendSession(
                    session, .refusedRequest(request, Refusal(.tooLarge, "A claim names 1 to \(Limits.claimedUsersMax) users, each once.")))
            )
        }
        var answers: [ClaimedKeyPackages] = []
        var local: [UserID] = []
        var remote: [NodeID: [UserID]] = [:]
        for user in users {
            if let refusal = keyPackages.admit(device.user, claiming: user, at: now) {
                answers.append(ClaimedKeyPackages(user: user, refusal: refusal))
                continue
            }
            switch directory.home(of: user) {
            case nil, id?: local.append(user)
            case let home? where liveness[home]?.state == .dead && links.link(to: home) == nil:
                // Who waits for nobody is spared the time that an answer may take.
                keyPackages.giveBack(device.user, claiming: user)
                answers.append(ClaimedKeyPackages(user: user, refusal: Claims.unreachable))
            case let home? where membership.evaluation.isMember(home): remote[home, default: []].append(user)
            case .some:
                answers.append(
                    ClaimedKeyPackages(user: user, refusal: Refusal(.nodeExpelled, "The user's node was expelled from the federation.")))
            }
        }
        if !remote.isEmpty, let refusal = claims.refusal(for: session) {
            return out.append(.sendSession(session, .refusedRequest(request, refusal)))
        }
        answers += handOut(local, to: device.user, except: device.device, passing: devicesClaimed(by: users).passedOver)
        if remote.isEmpty {
            let byUser = Dictionary(answers.map { ($0.user, $0) }, uniquingKeysWith: { first, _ in first })
            return out.append(.sendSession(session, .keyPackages(request, users.compactMap { byUser[$0] })))
        }
        let mine = RequestID(nextLookup)
        nextLookup += 1
        claims.open(mine, session: session, request: request, asker: device.user, users: users, answers: answers, remote: remote, at: now)
        for peer in remote.keys.sorted() { askForKeyPackages(peer) }
    }

    /// Sends the claims that wait for this node, or calls it.
    mutating func askForKeyPackages(_ peer: NodeID) {
        guard let link = links.link(to: peer) else { return dial(peer) }
        for question in claims.takeUnsent(to: peer) {
            out.append(.sendLink(link, .claimKeyPackages(question.id, by: question.asker, question.users)))
        }
    }

    /// One package of each device. A user who is unknown, who blocked the asker or who has none left: all alike.
    private mutating func handOut(
        _ users: [UserID], to asker: UserID, except: DeviceID? = nil, passing passedOver: Set<UserID>
    ) -> [ClaimedKeyPackages] {
        var room = Limits.claimedBytesMax
        // While the disk is full whoever has no last resort is not to be had for now; so nobody may look gone for good.
        let none = isSpaceLow ? Refusal(.busy, "The node's disk is full.") : Claims.unknown
        return users.map { user in
            let devices = localDevices(of: user).filter { $0 != except }
            // Those of the backup are void: until the device brings others nobody can have the user, and nobody may look gone for good.
            if hub.restoration > 0, !devices.isEmpty, keyPackages.hasNone(of: devices) {
                keyPackages.giveBack(asker, claiming: user)
                return ClaimedKeyPackages(user: user, refusal: Claims.awaited)
            }
            guard !devices.isEmpty, !blocks.blocks(asker, for: user) else { return ClaimedKeyPackages(user: user, refusal: none) }
            guard !passedOver.contains(user),
                let handed = keyPackages.handOut(of: user, devices, oneTime: !isSpaceLow, room: &room, at: now)
            else {
                return ClaimedKeyPackages(user: user, refusal: Claims.tooMuch)
            }
            for (device, left) in handed.low {
                if let session = sessions.session(of: device) {
                    out.append(.sendSession(session, .keyPackagesLeft(UInt32(clamping: left))))
                }
            }
            guard !handed.packages.isEmpty else { return ClaimedKeyPackages(user: user, refusal: none) }
            count("key_packages_handed_out", handed.packages.count)
            return ClaimedKeyPackages(user: user, packages: handed.packages)
        }
    }

    // MARK: Other nodes

    /// - Parameter asker: a user who must live at the peer: a node asks for its own alone.
    mutating func claim(_ users: [UserID], _ request: RequestID, by asker: UserID, of peer: NodeID, on link: LinkID) {
        guard let home = directory.home(of: asker) else {
            // Its record is on its way.
            return out.append(.sendLink(link, .refusedRequest(request, Refusal(.busy, "The asking user is not known here yet."))))
        }
        guard home == peer, users.count <= Limits.claimedUsersMax, Set(users).count == users.count else {
            return count("foreign_claims_dropped")
        }
        var answers: [ClaimedKeyPackages] = []
        var admitted: [UserID] = []
        for user in users {
            if let refusal = keyPackages.admit(asker, claiming: user, at: now) {
                answers.append(ClaimedKeyPackages(user: user, refusal: refusal))
            } else {
                admitted.append(user)
            }
        }
        answers += handOut(admitted, to: asker, passing: devicesClaimed(by: users).passedOver)
        out.append(.sendLink(link, .keyPackages(request, answers)))
    }

    mutating func receive(claimed: [ClaimedKeyPackages], _ request: RequestID, from peer: NodeID) {
        guard claims.isWaiting(request, for: peer) else { return count("unasked_key_packages_dropped") }
        if let answer = claims.answered(request, by: peer, claimed) { send(answer) }
    }

    /// - Returns: false when it is no claim that was refused.
    mutating func claimRefused(_ request: RequestID, by peer: NodeID) -> Bool {
        guard claims.isWaiting(request, for: peer) else { return false }
        receive(claimed: [], request, from: peer)
        return true
    }

    mutating func expireClaims() {
        for answer in claims.expire(at: now) { send(answer) }
    }

    private mutating func send(_ answer: Claims.Answer) {
        for user in answer.users where user.refusal == Claims.unreachable { keyPackages.giveBack(answer.asker, claiming: user.user) }
        out.append(.sendSession(answer.session, .keyPackages(answer.request, answer.users)))
    }

    // MARK: For the operator

    func devices(of address: Address) -> [DeviceID] {
        guard let issuer = membership.evaluation.member(named: address.issuer)?.id,
            let user = directory.user(handle: address.handle, issuer: issuer)
        else { return [] }
        return localDevices(of: user)
    }
}
