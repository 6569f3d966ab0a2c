internal import ClientCore
internal import Vocabulary

// What is decided and asked about contacts and messages.

extension Owner {
    func act(_ action: ContactAction, on address: Address, for job: Job) throws {
        switch action {
        case .trust:
            guard device.contacts.claimant(of: address) != nil else {
                throw ClientError(
                    .data, what: "There is nothing to decide about \(address).", why: "No other key claims the address.",
                    remedy: "Use: courier contact show \(address)")
            }
            feed(.contactDecided(address, .trust))
            conclude(job, address)
        case .show: lookUp(address, for: job)
        case .block, .verify, .accept, .decline:
            guard address != device.account.address else {
                throw ClientError(.data, what: "That is your own address.", why: "You are no contact of yours.", remedy: "Name a contact.")
            }
            if device.contacts[address] != nil { decide(action, on: address, for: job) } else { lookUp(address, for: job) }
        }
    }

    /// Asked of the directory once there is a session, or told that there is none.
    private func lookUp(_ address: Address, for job: Job) {
        if device.isLive { return feed(.contactRequested(job.ticket, address)) }
        feed(.sessionWanted)
        if sessionFailure != nil { feed(.contactRequested(job.ticket, address)) }
    }

    func tell(_ ticket: Ticket, _ result: Result<Contact, Refusal>) {
        guard let job = jobs[ticket.value], case .contact(let text, let action) = job.request, let address = try? Address(text),
            !job.waitsForNode
        else { return }
        switch result {
        case .failure(let refusal):
            if refusal.code.isTransient, let lastFailure { return finish(job, .refused(ClientError(lastFailure))) }
            finish(job, .refused(ClientError(refusal)))
        case .success:
            // After this batch: what is decided is then in what is answered.
            loop.execute { [weak self, id = job.id] in
                if let self, let job = self.jobs[id] { self.decide(action, on: address, for: job) }
            }
        }
    }

    private func decide(_ action: ContactAction, on address: Address, for job: Job) {
        switch action {
        case .show, .trust: break
        case .block(let isBlocked):
            feed(.contactDecided(address, .block(isBlocked)))
            return askNode(for: job)
        case .accept, .decline:
            do throws(ClientError) { job.decision = try decision(action, about: address) } catch { return finish(job, .refused(error)) }
            feed(.contactDecided(address, action == .accept ? .accept : .decline))
            // The home is to know, and what is owed to somebody accepted is to go out.
            return askNode(for: job)
        case .verify(let code):
            if let claimant = device.contacts.claimant(of: address) {
                job.reply(.contact(line(claimant)))
                return finish(job, .refused(ClientError(.keyChanged, SendError.keyChanged(address).explanation)))
            }
            if let code, let contact = device.contacts[address], !SafetyNumber.matches(code, device.account.userID, contact.user) {
                return finish(
                    job,
                    .refused(
                        ClientError(
                            .data, what: "The safety numbers differ: \(address) is not verified.",
                            why: "Yours is \(SafetyNumber.text(device.account.userID, contact.user)).",
                            remedy:
                                "Compare once more. If they still differ, somebody may pose as the contact: do not write to this address."))
                )
            }
            feed(.contactDecided(address, .verify))
        }
        conclude(job, address)
    }

    /// What a word about a stranger comes to.
    /// - Throws: where nobody waits to be declined.
    private func decision(_ action: ContactAction, about address: Address) throws(ClientError) -> Job.Decision {
        guard let contact = device.contacts[address] else { return Job.Decision(name: "accepted", already: false) }
        let standings = device.conversations.direct(with: contact.user).filter { !$0.isPlaceholder }.map(\.standing)
        let waits = standings.contains(.request)
        if action == .accept {
            let comesBack = standings.contains(.declined) && !contact.isBlocked
            return Job.Decision(name: "accepted", already: contact.isAccepted && !waits && !comesBack)
        }
        guard waits || standings.contains(.declined) else {
            throw ClientError(
                .data, what: "There is nothing to decline of \(address).",
                why: contact.isAccepted ? "That is a contact of yours, and no stranger who waits." : "No request from there is known here.",
                remedy: "See who waits: courier requests list; to hear nothing more of a contact: courier contact block \(address)")
        }
        return Job.Decision(name: "declined", already: !waits)
    }

    func conclude(_ job: Job, _ address: Address) {
        if let contact = device.contacts[address] { job.reply(.contact(line(contact, after: job.decision))) }
        if let claimant = device.contacts.claimant(of: address) {
            job.reply(.contact(line(claimant)))
            job.reply(
                .warning("The identity key of \(address) has changed. Compare safety numbers, then: courier contact trust \(address)"))
        }
        finish(job)
    }

    // MARK: Requests

    /// Strangers whose first contact waits for the user's word.
    func tellRequests(to job: Job) throws {
        var told: Set<UserID> = []
        for one in device.conversations.all where one.isRequest {
            guard let user = one.profile.peer(of: device.account.userID), user != device.account.userID, told.insert(user).inserted else {
                continue
            }
            let messages = try store.history(with: [.user(user)], before: .max, limit: 1000).filter { !$0.record.isMembership }
            job.reply(
                .request(
                    RequestLine(
                        from: display(user), user: user.hex, messages: messages.count, unread: messages.count { !$0.isShown },
                        sent: messages.first?.record.sent.milliseconds)))
        }
    }

    // MARK: Receipts

    /// What each device has said of a message of ours.
    func tellReceipts(of text: String, to job: Job) throws {
        guard let message = try ownMessage(text) else {
            throw ClientError(
                .data, what: "There is no such message.", why: "This profile has sent none with the id \(Printable.line(text)).",
                remedy: "Ids are shown by courier send, and by courier history --json.")
        }
        let record = message.record
        job.reply(.message(historyLine(message)))
        guard let key = record.conversation, let number = record.status.number else { return }
        for line in device.receipts(of: number, in: key.conversation) {
            job.reply(
                .receipts(
                    ReceiptsLine(
                        message: record.message.hex, conversation: key.conversation.hex, by: display(line.entry.user),
                        user: line.entry.user.hex, device: line.entry.device.hex, delivered: line.delivered(number)?.milliseconds,
                        read: line.read(number)?.milliseconds, lost: line.hasLost(number))))
        }
    }

    /// By its id, or the beginning of the id of one of the newest.
    private func ownMessage(_ text: String) throws -> ProfileStore.Stored? {
        if let id = MessageID(hex: text) { return try store.message(id) }
        guard text.count >= 6, text.allSatisfy(\.isHexDigit) else { return nil }
        return try store.newestOwn(limit: 5_000) { $0.record.message.hex.hasPrefix(text.lowercased()) }
    }
}
