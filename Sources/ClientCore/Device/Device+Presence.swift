internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// What a session begins with beyond its queue: KeyPackages for others to add us by, who may see us, whom we want to see.

extension Device {
    /// At the start of a session.
    mutating func announce(using random: inout some RandomNumberGenerator) {
        if settings.presenceToken == .zero {
            settings.presenceToken = random.bytes32()
            write(.settings(settings))
        }
        sayPresence()
        subscribe()
        if settings.hasBlocked { ask(.blocks) }
        if settings.sendsReadReceipts {
            let read = conversations.all.filter { $0.standing == .accepted && $0.shown > .zero }
            unmarked.formUnion(read.suffix(ClientLimits.marksResentMax).map(\.id))
        }
        for reference in keyPackages.expired(at: wall.seconds) { forget(reference) }
    }

    mutating func sayPresence() {
        guard isLive else { return }
        let token = Hash.blake2b(settings.presenceToken.bytes)
        emit(.send(.presence(PresenceSettings(token: token, sharesLastSeen: settings.sharesLastSeen))))
        // It is not answered: a ping behind it tells when the home has it.
        if let settingsPing { emit(.send(.ping(settingsPing))) }
    }

    mutating func subscribe() {
        guard isLive else { return }
        let wishes = wanted.prefix(Limits.presenceWishesMax).compactMap { address -> PresenceWish? in
            guard let contact = contacts[address], !contact.isBlocked, let token = contact.presenceToken else { return nil }
            return PresenceWish(user: contact.user, token: token)
        }
        emit(.send(.subscribe(wishes)))
    }

    /// Whoever writes to us and is no stranger may see us: the token goes over inside the conversation, once.
    mutating func handToken(to user: UserID, in id: ConversationID) {
        guard let one = conversations[id], one.profile.isDirect, one.standing == .accepted, var contact = contacts[user],
            contact.isAccepted,
            !contact.hasOurToken, !contact.isBlocked, settings.presenceToken != .zero,
            let message = MessageID.derived(from: account.deviceID, settings.presenceToken, one.key)
        else { return }
        contact.hasOurToken = true
        keep(contact)
        let item = outbox.add(message, to: .group(id), in: id, .token(settings.presenceToken, sent: wall), .waiting)
        write(.outbox(item))
        touched.insert(id)
    }

    /// Somebody was blocked: the token that person holds is worth nothing from now on, the others get the new one.
    mutating func rotateToken(using random: inout some RandomNumberGenerator) {
        settings.presenceToken = random.bytes32()
        write(.settings(settings))
        sayPresence()
        for contact in contacts.all where contact.hasOurToken {
            var contact = contact
            contact.hasOurToken = false
            keep(contact)
            if let one = conversations.toSendIn(with: contact.user) { handToken(to: contact.user, in: one.id) }
        }
    }

    // MARK: Typing

    mutating func signal(_ content: SignalContent, in id: ConversationID, using random: inout some RandomNumberGenerator) {
        guard isLive, let one = conversations[id], one.standing == .accepted, let key = one.markKeys.last,
            (receipts[id]?.lines.count ?? 0) <= ClientLimits.typingMembersMax
        else { return }
        emit(.send(.signal(content.sealed(in: one.key, by: account.entry, under: key, using: &random))))
    }

    mutating func received(_ signal: Signal, at now: Instant, using random: inout some RandomNumberGenerator) {
        if let question = VoucherQuestion(signal) { return vouch(question, signal, at: now, using: &random) }
        guard let one = conversations[signal.key.conversation], one.key == signal.key, one.standing == .accepted,
            receipts[one.id]?[signal.sender.device]?.entry == signal.sender, contacts[signal.sender.user]?.isBlocked != true,
            let key = one.markKeys.last(where: { $0.epoch == signal.epoch }), let content = SignalContent(signal, under: key)
        else { return }
        emit(.typing(one.id, signal.sender.user, content == .typing))
    }

    // MARK: KeyPackages

    /// More are made when few are left at home (MLS checklist C 9); each frame's worth is stored before it is published.
    mutating func restock(left: Int, using random: inout some RandomNumberGenerator) {
        guard !isStocking else { return }
        let isReplaced = keyPackages.isDoubtful
        var left = isReplaced ? 0 : left
        let wanted = left < ClientLimits.keyPackagesLow ? ClientLimits.keyPackagesWanted : left
        do throws(MLSError) {
            let identity = try account.identity(at: wall)
            var lastResort: [UInt8]?
            if isReplaced || keyPackages.lastResort == nil {
                lastResort = try make(identity, lastResort: true, using: &random)
            } else if keyPackages.hasFormerLastResorts {
                lastResort = keyPackages.lastResort?.published
            }
            var supplies: [KeyPackageSupply] = []
            while left < wanted {
                var packages: [[UInt8]] = []
                while packages.count < Limits.keyPackagesPerFrameMax - 1, left < wanted {
                    packages.append(try make(identity, lastResort: false, using: &random))
                    left += 1
                }
                supplies.append(KeyPackageSupply(replaces: isReplaced && supplies.isEmpty, packages: packages, lastResort: lastResort))
                lastResort = nil
            }
            if let lastResort { supplies.append(KeyPackageSupply(replaces: false, packages: [], lastResort: lastResort)) }
            keyPackages.isDoubtful = false
            if supplies.isEmpty { stocked() }
            for supply in supplies { ask(.keyPackages(supply)) }
        } catch { emit(.note(.badHandshake("\(error)"))) }
    }

    /// Somebody has used the last resort, so others may have it too: another one takes its place. Its key is kept for Welcomes on their way.
    mutating func rotateLastResort(_ used: OwnKeyPackage, using random: inout some RandomNumberGenerator) {
        guard used.reference == keyPackages.lastResort?.reference else { return }
        do throws(MLSError) {
            let package = try make(try account.identity(at: wall), lastResort: true, using: &random)
            ask(.keyPackages(KeyPackageSupply(replaces: false, packages: [], lastResort: package)))
        } catch { emit(.note(.badHandshake("\(error)"))) }
    }

    /// The home has what was published.
    mutating func published(_ supply: KeyPackageSupply) {
        if supply.lastResort != nil, supply.lastResort == keyPackages.lastResort?.published {
            for reference in keyPackages.outlived(at: wall.seconds) { forget(reference) }
        }
        stocked()
    }

    mutating func forget(_ reference: [UInt8]) {
        keyPackages.remove(reference)
        write(.keyPackage(reference: reference, nil))
    }

    private mutating func make(
        _ identity: MemberIdentity, lastResort: Bool, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> [UInt8] {
        let own = try OwnKeyPackage.make(member: identity, lastResort: lastResort, using: &random)
        keyPackages.keep(own)
        write(.keyPackage(reference: own.reference, own.stored))
        return own.published
    }

    /// KeyPackages are on their way to the home, or were not taken for now.
    private var isStocking: Bool {
        let isSupply = { (question: Question) in if case .keyPackages = question { true } else { false } }
        return has(isSupply) || putOff.contains(where: isSupply)
    }

    /// Others can add us.
    mutating func stocked() {
        guard !isStocking else { return }
        isStocked = true
        guard hasJustJoined, let address = account.address else { return }
        hasJustJoined = false
        emit(.sessionChanged(.joined(address)))
    }
}
