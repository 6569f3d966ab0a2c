internal import Cryptography
internal import Vocabulary

// What clients ask. Source: docs/protocol/client-session.md.
extension Node {
    mutating func open(_ session: SessionID) {
        if isStopping { return refuse(session, Refusal(.shuttingDown, "The node stops.")) }
        if let refusal = sessions.open(session, at: now) { refuse(session, refusal) }
    }

    mutating func closed(_ session: SessionID) {
        claims.close(session)
        heldBack.close(session)
        traffic.requests.close(session)
        presence(.signedOut(session))
        guard let device = sessions.close(session) else { return }
        if logReaders.turn(of: device)?.session == session { logReaders.endTurn(of: device) }
        queues.detach(.session(session), from: .device(device))
    }

    /// Says why and closes.
    mutating func refuse(_ session: SessionID, _ refusal: Refusal) {
        count("session_refused_\(refusal.code)")
        out.append(.note(.sessionRefused(refusal.code)))
        out.append(.closeSession(session, refusal))
        closed(session)
    }

    mutating func receive(_ frame: ClientFrame, in session: SessionID, using random: inout some RandomNumberGenerator) {
        guard let phase = sessions.phase(of: session) else { return }
        if let refusal = sessions.admit(session, at: now) {
            // A submission over the rate is refused alone: the client sends the same bytes again.
            if refusal.code == .rateLimited, case .submit(let submission) = frame {
                heldBack.refused(submission, submission.order, refusal, in: session, at: now)
                return out.append(.sendSession(session, .refusedMessage(submission.message, refusal)))
            }
            return refuse(session, refusal)
        }
        switch (phase, frame) {
        case (.connected, .hello(let versions, let nonce)):
            switch sessions.hello(session, versions: versions, nonce: nonce, using: &random) {
            case .success(let welcome): out.append(.sendSession(session, welcome))
            case .failure(let refusal): refuse(session, refusal)
            }
        case (.greeted, .authenticate(let proof)): authenticate(session, proof, using: &random)
        case (.greeted, .register(let request, let secret, let user, let handle)):
            register(session, request, secret: secret, user: user, handle: handle)
        case (.greeted, .publish(let request, let record)):
            publish(session, request, record, by: sessions.registering(in: session), using: &random)
        case (.authenticated(let device), .publish(let request, let record)):
            publish(session, request, record, by: device.user, using: &random)
        case (.authenticated(let device), .submit(let submission)): submit(submission, from: device, in: session)
        case (.authenticated(let device), .acknowledge(let position, let watermarks, let order)):
            // What was taken is deleted here: a copy of the device from before it is told so like one that lacks what was sent.
            if !isSpaceLow { orders.raise(device.device, to: order) }
            acknowledge(through: position, watermarks, from: device, in: session)
        case (.authenticated(let device), .publishKeyPackages(let request, let supply)):
            publish(supply, request, by: device, in: session)
        case (.authenticated(let device), .claimKeyPackages(let request, let users)): claim(users, request, by: device, in: session)
        case (.authenticated(let device), .setBlocked(let request, let users, let conversations)):
            setBlocked(users, conversations, request, by: device, in: session)
        case (.authenticated(let device), .presence(let settings)): presence(.settingsChanged(device.user, settings))
        case (.authenticated, .subscribe(let wishes)): subscribe(wishes, in: session)
        case (.authenticated, .lookup(let request, let key)): lookup(session, request, key, using: &random)
        case (.authenticated(let device), .fetchGroup(let request, let key)): fetchGroup(session, request, key, by: device)
        case (.authenticated(let device), .refetch(let key, let from, let through)):
            refetch(key, from: from, through: through, by: device)
        case (.authenticated(let device), .mark(let mark, let devices)): self.mark(mark, for: devices, from: device)
        case (.authenticated(let device), .signal(let signal)): self.signal(signal, from: device)
        case (.authenticated, .ping(let token)), (.greeted, .ping(let token)): out.append(.sendSession(session, .pong(token)))
        default: refuse(session, Refusal(.badFrame, "This frame does not belong here in the session."))
        }
    }

    // MARK: Signing in

    private mutating func authenticate(_ session: SessionID, _ proof: Authentication, using random: inout some RandomNumberGenerator) {
        switch sessions.authenticate(session, proof, record: directory.record(of: proof.user)) {
        case .refused(let refusal): refuse(session, refusal)
        case .authenticated(let entry, let replaced):
            perform(directory.step(.deviceProven(entry.device, of: entry.user), at: now, using: &random))
            let destination = Destination.device(entry.device)
            // Before the older one ends: the user was online all the time.
            presence(.signedIn(session, entry.user))
            if let replaced {
                claims.close(replaced)
                presence(.signedOut(replaced))
                logReaders.endTurn(of: entry.device)
                queues.detach(.session(replaced), from: destination)
                out.append(.closeSession(replaced, Refusal(.replacedByNewerSession, "The device signed in again.")))
            }
            queues.attach(.session(session), to: destination)
            let waiting = UInt64(queues.count(of: destination) + unreadCount(of: entry))
            out.append(.sendSession(session, .ready(waiting: waiting, order: orders[entry.device], restored: hub.restoration)))
            tellKeyPackagesLeft(of: entry.device)
            goOn(destination)
        }
    }

    // MARK: Registration

    private mutating func register(_ session: SessionID, _ request: RequestID, secret: [UInt8], user: UserID, handle: Handle) {
        guard let name else {
            return out.append(.sendSession(session, .refusedRequest(request, Refusal(.busy, "The node has no name at present."))))
        }
        if isSpaceLow { return out.append(.sendSession(session, .refusedRequest(request, Refusal(.diskFull, "The node's disk is full.")))) }
        if !membership.isSelfMember {
            return out.append(
                .sendSession(session, .refusedRequest(request, Refusal(.nodeExpelled, "This node was expelled from the federation."))))
        }
        var writes: [StoreWrite] = []
        let refusal =
            directory.record(of: user).flatMap { known in
                known.handle == handle && known.issuer == id ? nil : Refusal(.handleTaken, "The user has another handle already.")
            }
            ?? registrar.register(
                secret: secret, user: user, handle: handle, holder: directory.user(handle: handle, issuer: id), wall: wall,
                writes: &writes)
        write(writes)
        if let refusal { return out.append(.sendSession(session, .refusedRequest(request, refusal))) }
        sessions.setRegistering(user, in: session)
        let body = HandleCertificate.body(federation: membership.federation, handle: handle, user: user)
        out.append(
            .sendSession(
                session,
                .granted(
                    request, federation: membership.federation, issuer: id, issuerName: name,
                    certificate: key.sign(body, for: .handleCertificate))))
    }

    private mutating func publish(
        _ session: SessionID, _ request: RequestID, _ signed: SignedUserRecord, by user: UserID?,
        using random: inout some RandomNumberGenerator
    ) {
        func refuse(_ refusal: Refusal) { out.append(.sendSession(session, .refusedRequest(request, refusal))) }
        if isSpaceLow { return refuse(Refusal(.diskFull, "The node's disk is full.")) }
        let tooOften = Refusal(.rateLimited, "The user publishes too often.")
        // Before the signatures, of which there may be many. Of a stranger's session they tell first whose record it is.
        if let user, !records.take(user, at: now) { return refuse(tooOften) }
        guard let record = try? signed.verified(in: membership.federation, checking: .beforeConsent) else {
            return refuse(Refusal(.recordInvalid, "The record is not a valid one."))
        }
        guard record.home == id else { return refuse(Refusal(.recordInvalid, "The record names another home.")) }
        if user == nil, !records.take(record.user, at: now) { return refuse(tooOften) }
        if let known = directory.signedRecord(of: record.user), known.body == signed.body {
            return out.append(.sendSession(session, .published(request, known)))
        }
        // This node has consented to it, and was restored from a backup since that does not have it.
        if user == nil, signed.homeSignature?.isValid(over: signed.body, for: .homeConsent, by: id) == true {
            perform(directory.step(.returned(signed), at: now, using: &random))
            guard let known = directory.signedRecord(of: record.user), known.body == signed.body else {
                return refuse(Refusal(.recordStale, "The record does not follow the one this node has."))
            }
            count("records_returned")
            return out.append(.sendSession(session, .published(request, known)))
        }
        // A first record may come in a later session than its `register`, which was cut off: the reservation is its user's, who has signed it.
        guard record.user == user || user == nil && record.version == 1 && record.issuer == id else {
            return refuse(Refusal(.recordInvalid, "The record is not one of this session's user."))
        }
        let held = directory.record(of: record.user)
        // The home has the newest: a version that skips some would be the highest for good.
        guard record.version == (held?.version ?? 0) + 1 else {
            return refuse(Refusal(.recordStale, "The record's version is not the next one."))
        }
        if let held, held.handle != record.handle || held.issuer != record.issuer {
            return refuse(Refusal(.recordInvalid, "A user's handle does not change."))
        }
        // A reservation may have gone with the store that a backup has taken the place of: the certificate says that there was one.
        if record.version == 1, record.issuer == id, !registrar.isReserved(record.handle, for: record.user), hub.restoration == 0 {
            return refuse(Refusal(.recordInvalid, "The handle is not reserved for this user; register first."))
        }
        let before = held?.devices.map(\.device) ?? []
        // It takes the user's signature alone to list a device.
        if record.devices.contains(where: { !before.contains($0.device) && directory.isLocal($0.device) }) {
            return refuse(Refusal(.recordInvalid, "A device in the record is another user's."))
        }
        let consent = key.sign(signed.body, for: .homeConsent)
        let complete = SignedUserRecord(body: signed.body, userSignature: signed.userSignature, homeSignature: consent)
        perform(directory.step(.published(complete), at: now, using: &random))
        guard directory.signedRecord(of: record.user)?.body == signed.body else {
            return refuse(Refusal(.recordStale, "The record does not follow the one this node has."))
        }
        var writes: [StoreWrite] = []
        registrar.complete(record.handle, of: record.user, writes: &writes)
        write(writes)
        out.append(.note(.registered))
        out.append(.sendSession(session, .published(request, complete)))
        // Even the one that published it. Who has signed in with a device is told by the session.
        for device in Set(before).subtracting(record.devices.map(\.device)).sorted() {
            guard let open = sessions.session(of: device), sessions.device(of: open)?.user == record.user else { continue }
            self.refuse(open, Refusal(.authenticationFailed, "The device is not in its user's record any more."))
        }
    }

    // MARK: Messages

    private mutating func submit(_ submitted: Submission, from device: RosterEntry, in session: SessionID) {
        // While the disk is full nothing goes on to anybody.
        if !isSpaceLow { orders.raise(device.device, to: submitted.order) }
        let submission = submitted.forHub
        let refusal: Refusal?
        let mark = out.count
        let held = heldBack.refusal(of: submission, submitted.order, in: session, at: now)
        if let held {
            refusal = held
        } else if submission.hub == id {
            refusal = order(submission, from: device)
        } else if isSpaceLow {
            refusal = Refusal(.diskFull, "The node's disk is full.")
        } else if !membership.isSelfMember {
            refusal = Refusal(.nodeExpelled, "This node was expelled from the federation.")
        } else if let strange = self.refusal(forHub: submission.hub) {
            refusal = strange
        } else {
            let origin = Queues.Origin.messages(device.user, of: nil)
            refusal =
                queues.refusal(for: .node(submission.hub)) ?? queues.refusal(of: origin)
                ?? queues.refusal(of: .answers(device.user, of: submission.hub))
            if refusal == nil { enqueue(.submission(submission, sender: device), for: submission.hub, on: origin) }
        }
        if let refusal {
            // Of one that waits behind another the word is not renewed: or it would wait for ever behind one that does not come.
            if held == nil { heldBack.refused(submission, submitted.order, refusal, in: session, at: now) }
            out.append(.note(.messageRefused(refusal.code)))
            out.append(.sendSession(session, .refusedMessage(submission.message, refusal)))
        } else {
            // Before what follows from it: `sent` comes before `accepted`. Neither leaves before both are on disk.
            out.insert(.sendSession(session, .sent(submission.message)), at: mark)
        }
    }

    /// Of a node that no statement names we may not have heard yet, as after a restoration from a backup: nobody gives up a conversation, or
    /// is taken for out of it, on that word.
    func refusal(forHub hub: NodeID) -> Refusal? {
        if membership.evaluation.isMember(hub) { return nil }
        return membership.evaluation[hub] == nil
            ? Refusal(.busy, "The conversation's hub is not known here yet.")
            : Refusal(.unknownHub, "The conversation's hub is not a member of the federation any more.")
    }

    private mutating func acknowledge(
        through position: QueuePosition, _ watermarks: [Watermark], from device: RosterEntry, in session: SessionID
    ) {
        let destination = Destination.device(device.device)
        write(queues.acknowledge(destination, through: position))
        acknowledgedLog(through: position, by: device.device)
        for watermark in watermarks where watermark.device == device.device {
            if watermark.key.hub == id {
                // Each costs a signature check, and none would ever count: no device that means well sends one.
                guard cover(watermark, of: device.user, isOwn: true) else {
                    return refuse(session, Refusal(.badFrame, "The device did not sign its own watermark."))
                }
            } else if membership.evaluation.isMember(watermark.key.hub) {
                // Nobody here knows who is in it, and checks no signature: the hub does.
                let origin = Queues.Origin.receipts(device.user)
                if let refusal = queues.refusal(of: origin) { return refuse(session, refusal) }
                let slot = Queues.Slot(key: watermark.key, device: watermark.device)
                enqueue(.watermark(watermark), for: watermark.key.hub, slot: slot, on: origin)
            }
        }
        goOn(destination)
    }

    // MARK: Look-ups

    private mutating func lookup(
        _ session: SessionID, _ request: RequestID, _ key: LookupKey, using random: inout some RandomNumberGenerator
    ) {
        switch key {
        case .user(let user):
            guard let signed = directory.signedRecord(of: user) else { return notFound(session, request) }
            found(session, request, signed)
        case .address(let address):
            guard let issuer = membership.evaluation.member(named: address.issuer)?.id else { return notFound(session, request) }
            if let user = directory.user(handle: address.handle, issuer: issuer), let signed = directory.signedRecord(of: user) {
                return found(session, request, signed)
            }
            guard issuer != id else { return notFound(session, request) }
            guard lookups.values.count(where: { $0.session == session }) < Self.lookupsPerSessionMax else {
                return out.append(
                    .sendSession(session, .refusedRequest(request, Refusal(.rateLimited, "Too many look-ups are under way."))))
            }
            let mine = RequestID(nextLookup)
            nextLookup += 1
            lookups[mine] = (session, request)
            perform(directory.step(.lookup(mine, address, issuer: issuer), at: now, using: &random))
        }
    }

    mutating func found(_ session: SessionID, _ request: RequestID, _ signed: SignedUserRecord) {
        guard let record = try? UserRecord(decoding: signed.body), let address = address(of: record) else {
            return notFound(session, request)
        }
        out.append(.sendSession(session, .found(request, signed, address: address)))
    }

    mutating func notFound(_ session: SessionID, _ request: RequestID) {
        out.append(.sendSession(session, .refusedRequest(request, Refusal(.unknownUser, "No such user is known."))))
    }

    func address(of record: UserRecord) -> Address? {
        membership.evaluation[record.issuer]?.name.map { Address(handle: record.handle, issuer: $0) }
    }
}

extension Submission {
    /// How many messages a device has sealed in all is between it and its home.
    fileprivate var forHub: Submission {
        Submission(message: message, conversation: conversation, hub: hub, kind: kind, timeToLive: timeToLive)
    }
}
