internal import Cryptography
internal import Vocabulary

/// What we asked the home.
enum Question: Equatable, Sendable {
    case registration
    case publication
    /// Our own record, to learn whether a publication that seemed refused had come through before.
    case ownRecord
    /// For messages in the outbox.
    case resolution(Address)
    /// For whoever wants to see the contact.
    case contact(Ticket, Address)
    /// Who wrote to us.
    case name(UserID)
    /// Whether an owner of a group that an admin goes on with is still to be had.
    case owner(UserID, Address)
    /// For whoever wants this user in or out of a group.
    case member(Ticket, Address)
    /// KeyPackages of these users, for a commit in a conversation.
    case claim(ConversationID, [UserID])
    /// What is needed to rejoin a conversation.
    case group(ConversationID)
    case keyPackages(KeyPackageSupply)
    case blocks
}

extension Device {
    /// - Returns: the id to ask under.
    mutating func open(_ question: Question) -> RequestID {
        lastQuestion += 1
        let request = RequestID(lastQuestion)
        questions[request] = question
        return request
    }

    mutating func answered(_ request: RequestID) -> Question? {
        defer { askWaiting() }
        return questions.removeValue(forKey: request)
    }

    /// A look-up; without a session only those that somebody waits for are answered, at once.
    mutating func ask(_ question: Question) {
        guard isLive else {
            if case .contact(let ticket, let address) = question {
                if let contact = contacts[address] { return emit(.contactFound(ticket, contact)) }
                emit(.contactRefused(ticket, Refusal(.busy, "the node cannot be reached")))
            }
            return
        }
        guard !has({ $0 == question }) else { return }
        waitingQuestions.append(question)
        askWaiting()
    }

    private mutating func askWaiting() {
        while isLive, questions.count < ClientLimits.lookupsMax, !waitingQuestions.isEmpty {
            let next = waitingQuestions.removeFirst()
            switch next {
            case .registration, .publication, .ownRecord: break
            case .claim(_, let users): emit(.send(.claimKeyPackages(open(next), users)))
            case .group(let id):
                guard let key = conversations[id]?.key else { continue }
                emit(.send(.fetchGroup(open(next), key)))
            case .keyPackages(let supply): emit(.send(.publishKeyPackages(open(next), supply)))
            case .blocks: emit(.send(.setBlocked(open(next), users: blockedUsers, conversations: declinedConversations)))
            case .resolution(let address), .contact(_, let address), .member(_, let address), .owner(_, let address):
                emit(.send(.lookup(open(next), .address(address))))
            case .name(let user): emit(.send(.lookup(open(next), .user(user))))
            }
        }
    }

    /// At a session's start, and when look-ups were refused for a while: everything that waits for the directory.
    mutating func resolveAll() {
        var asked: Set<Address> = []
        for item in outbox.unresolved() {
            guard case .address(let address) = item.target, asked.insert(address).inserted else { continue }
            ask(.resolution(address))
        }
        for (ticket, wish) in wishes.sorted(by: { $0.key.value < $1.key.value }) {
            for address in wish.unresolved { ask(.member(ticket, address)) }
        }
        let unnamed = contacts.unnamed.filter { !unlisted.contains($0) }
        for user in unnamed.prefix(ClientLimits.namesAskedAtOnceMax) { ask(.name(user)) }
        takePlaces()
        let again = putOff
        putOff = []
        for question in again { ask(question) }
    }

    // MARK: Answers

    mutating func found(
        _ signed: SignedUserRecord, address: Address, for question: Question, at now: Instant,
        using random: inout some RandomNumberGenerator
    ) {
        guard let grant = account.grant, let record = try? signed.verified(in: grant.federation, checking: .all),
            record.handle == address.handle,
            // We know the key behind one name for certain: that of the node that issued our own handle.
            (address.issuer == grant.issuerName) == (record.issuer == grant.issuer), isAnswer(record, address, to: question)
        else {
            emit(.note(.badRecord))
            return refused(question, Refusal(.recordInvalid, "the node answered with a record that does not hold"), at: now, using: &random)
        }
        if question == .ownRecord {
            guard case .publishing(_, let ours) = account.stage, ours.digest == signed.digest else {
                return emit(.sessionChanged(.joinRefused(Refusal(.recordStale, "the node holds another record of this user"))))
            }
            return published(signed, at: now)
        }
        freshness[record.user] = now
        switch contacts.learn(record, digest: signed.digest, address: address) {
        case .learned(let contact):
            write(.contact(contact))
            found(contact, for: question, using: &random)
        case .keyChanged(let contact):
            write(.contact(contact))
            emit(.note(.keyChanged(address)))
            holdBack(address)
            found(contact, for: question, using: &random)
        case .rolledBack(let contact):
            emit(.note(.recordRolledBack))
            found(contact, for: question, using: &random)
        case .equivocated(let contact):
            emit(.note(.recordEquivocated))
            found(contact, for: question, using: &random)
        }
        emit(.messagesArrived)
    }

    private func isAnswer(_ record: UserRecord, _ address: Address, to question: Question) -> Bool {
        switch question {
        case .registration, .publication, .claim, .group, .keyPackages, .blocks: false
        case .ownRecord: record.user == account.userID
        case .resolution(let asked), .contact(_, let asked), .member(_, let asked), .owner(_, let asked): asked == address
        case .name(let user): record.user == user
        }
    }

    private mutating func found(_ contact: Contact, for question: Question, using random: inout some RandomNumberGenerator) {
        if case .contact(let ticket, let address) = question {
            emit(.contactFound(ticket, contacts[address] ?? contact))
        }
        if case .member(let ticket, let address) = question { resolved(address, as: contact, for: ticket, using: &random) }
        // An owner's address is what takePlace has to ask for.
        if case .name = question { takePlaces() }
        guard contact.standing == .pinned, let address = contact.address else { return }
        for item in outbox.unresolved(for: address) { direct(item, to: contact, using: &random) }
    }

    /// The key changed: what waits for that address goes on waiting, for the user.
    private mutating func holdBack(_ address: Address) {
        for var item in outbox.unresolved(for: address) {
            let refusal = Refusal(.blocked, "the contact's key changed; see: courier contact trust")
            item.refusal = refusal
            outbox.keep(item)
            write(.outbox(item))
            emit(.sendRefused(item.message, .keyChanged(address)))
        }
    }

    mutating func refused(_ question: Question, _ refusal: Refusal, at now: Instant, using random: inout some RandomNumberGenerator) {
        switch question {
        case .registration, .ownRecord:
            emit(.sessionChanged(.joinRefused(refusal)))
            close(.refused(refusal), at: now, using: &random)
        case .publication:
            if case .offered(let first) = returning {
                if refusal.code.isTransient { returning = .due(first) }
                return close(.refused(refusal.code.isTransient ? refusal : first), at: now, using: &random)
            }
            guard refusal.code == .recordStale, case .joining = phase else {
                emit(.sessionChanged(.joinRefused(refusal)))
                return close(.refused(refusal), at: now, using: &random)
            }
            emit(.send(.lookup(open(.ownRecord), .user(account.userID))))
        case .contact(let ticket, let address):
            if let contact = contacts[address] { return emit(.contactFound(ticket, contact)) }
            emit(.contactRefused(ticket, refusal))
        case .member(let ticket, let address):
            if let contact = contacts[address], contact.record != nil { return resolved(address, as: contact, for: ticket, using: &random) }
            if refusal.code.isTransient { return lookAgain(at: now, using: &random) }
            giveUp(ticket, Refusal(refusal.code, "\(address): \(refusal.detail)"))
        case .claim(let id, let users):
            took(users.map { ClaimedKeyPackages(user: $0, refusal: refusal) }, of: users, for: id, at: now, using: &random)
        case .group(let id):
            if refusal.code == .unknownHub, conversations[id]?.standing == .leaving { return letOut(of: id) }
            noGroup(id, refusal, at: now, using: &random)
        case .keyPackages, .blocks:
            guard refusal.code.isTransient else { return emit(.note(.badHandshake("\(refusal.code)"))) }
            // Nobody could add us until the next session, or a stranger who is blocked would still get through.
            putOff.append(question)
            lookAgain(at: now, using: &random)
        case .name(let user):
            if refusal.code.isTransient { return lookAgain(at: now, using: &random) }
            unlisted.insert(user)
            emit(.messagesArrived)
            takePlaces()
        case .owner(let user, _):
            if refusal.code.isTransient { return lookAgain(at: now, using: &random) }
            guard refusal.code == .unknownUser else { return }
            ownersGone.insert(user)
            takePlaces()
        case .resolution(let address):
            if let contact = contacts[address], contact.record != nil {
                // Known already: the directory's silence does not stop us.
                for item in outbox.unresolved(for: address) { direct(item, to: contact, using: &random) }
                return
            }
            for var item in outbox.unresolved(for: address) {
                guard refusal.code.isTransient else {
                    fail(item.message, refusal)
                    continue
                }
                item.refusal = refusal
                outbox.keep(item)
                write(.outbox(item))
                report(item.message, MessageStatus(.queued, refusal: refusal))
            }
            if refusal.code.isTransient { lookAgain(at: now, using: &random) }
        }
    }

    private mutating func lookAgain(at now: Instant, using random: inout some RandomNumberGenerator) {
        guard lookupRetryAt == nil else { return }
        lookupRetryAt = now + Limits.reconnectDelayMin + Backoff.delay(attempt: 4, using: &random)
    }

    // MARK: The user's word

    mutating func decide(_ decision: ContactDecision, about address: Address, using random: inout some RandomNumberGenerator) {
        switch decision {
        case .trust:
            for contact in contacts.trust(address) { write(.contact(contact)) }
            guard let contact = contacts[address] else { return }
            for item in outbox.unresolved(for: address) { direct(item, to: contact, using: &random) }
            emit(.messagesArrived)
        case .verify:
            guard var contact = contacts[address] else { return }
            contact.isVerified = true
            keep(contact)
        case .block(let isBlocked):
            guard var contact = contacts[address], contact.isBlocked != isBlocked else { return }
            contact.isBlocked = isBlocked
            if isBlocked { contact.presenceToken = nil }
            keep(contact)
            for one in conversations.direct(with: contact.user) {
                if isBlocked, one.standing.isFollowed {
                    // What comes on is kept from us by our home.
                    change(one.id) {
                        $0.standing = .declined
                        $0.stopTaking()
                    }
                    giveUp(one.id, Refusal(.blocked, "you have blocked the recipient"), mayBeThere: true)
                } else if !isBlocked, one.standing == .declined {
                    comeBack(to: one.id, as: contact.isAccepted ? .accepted : .request)
                }
            }
            if isBlocked { rotateToken(using: &random) }
            askBlocks()
        case .accept:
            guard let contact = contacts[address] else { return }
            accept(contact)
        case .decline:
            guard let contact = contacts[address] else { return }
            for one in conversations.direct(with: contact.user) where one.standing == .request {
                change(one.id) {
                    $0.standing = .declined
                    $0.stopTaking()
                }
            }
            askBlocks()
        }
    }

    /// What was kept from us is gone: we come in where the conversation stands now.
    private mutating func comeBack(to id: ConversationID, as standing: Conversation.Standing) {
        change(id) {
            $0.standing = standing
            $0.isStale = true
            // Nothing of what was awaited then is the hub's fault.
            ($0.awaitsCommit, $0.refetch) = (nil, nil)
            $0.forgetHeld()
        }
    }

    private mutating func askBlocks() {
        settings.hasBlocked = true
        write(.settings(settings))
        ask(.blocks)
    }

    mutating func keep(_ contact: Contact) {
        contacts.keep(contact)
        write(.contact(contact))
    }

    /// No stranger any more: what is withheld from strangers is owed now.
    mutating func accept(_ contact: Contact) {
        var contact = contact
        if !contact.isAccepted {
            contact.isAccepted = true
            keep(contact)
        }
        for one in conversations.direct(with: contact.user) where one.standing == .request {
            change(one.id) { $0.standing = .accepted }
            advanced.insert(one.id)
            unmarked.insert(one.id)
            emit(.messagesArrived)
        }
        // Declined once, and wanted now: the other one goes on writing there.
        let declined = contact.isBlocked ? [] : conversations.direct(with: contact.user).filter { $0.standing == .declined }
        guard !declined.isEmpty else { return }
        for one in declined { comeBack(to: one.id, as: .accepted) }
        askBlocks()
    }

    var blockedUsers: [UserID] { Array(contacts.all.filter(\.isBlocked).map(\.user).sorted().prefix(Limits.blockedMax)) }
    var declinedConversations: [ConversationKey] {
        Array(conversations.all.filter { $0.standing == .declined }.map(\.key).sorted().suffix(Limits.blockedMax))
    }

    mutating func done(_ question: Question) {
        if case .keyPackages(let supply) = question { published(supply) }
    }
}
