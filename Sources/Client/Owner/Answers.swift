internal import ClientCore
internal import Vocabulary

// What is answered from the profile: oneself, contacts, the history.

extension Owner {
    var me: Me {
        let account = device.account
        return Me(
            address: account.address.map { "\($0)" }, handle: "\(account.handle)", user: account.userID.hex, device: account.deviceID.hex,
            node: account.home.hex, endpoint: "\(account.endpoint)", federation: account.grant?.federation.hex, isMember: account.isMember)
    }

    func line(_ contact: Contact) -> ContactLine {
        ContactLine(
            address: contact.address.map { "\($0)" } ?? "?", user: contact.user.hex, standing: "\(contact.standing)",
            isVerified: contact.isVerified, isBlocked: contact.isBlocked, devices: contact.record?.devices.count ?? 0,
            version: contact.record?.version, home: contact.record?.home.hex,
            safetyNumber: SafetyNumber.text(device.account.userID, contact.user))
    }

    // MARK: Messages

    /// nil while its sender has no name, or a contested one.
    func shownLine(_ stored: ProfileStore.Stored) -> MessageLine? {
        guard case .user(let user) = stored.record.peer else { return line(stored, peer: "?", isVerified: false) }
        return switch device.name(of: user) {
        case .known(let address, let verified): line(stored, peer: "\(address)", isVerified: verified)
        case .unlisted: line(stored, peer: "unknown:\(user.short)", isVerified: false)
        case .pending, .held: nil
        }
    }

    private func line(_ stored: ProfileStore.Stored, peer: String, isVerified: Bool) -> MessageLine {
        let record = stored.record
        var (text, problem): (String?, String?) = (nil, nil)
        switch record.body {
        case .outgoing(let body), .incoming(let body): text = body
        case .undecryptable(let reason): problem = reason
        }
        return MessageLine(
            sequence: stored.sequence, id: record.message.hex, conversation: record.conversation?.conversation.hex,
            isOutgoing: record.isOutgoing, peer: peer, number: record.status.number?.value, sent: record.sent.milliseconds, text: text,
            problem: problem, state: record.isOutgoing ? record.status.state.name : nil,
            reason: record.status.refusal.map { Printable.line("\($0.code): \($0.detail)") }, isVerified: isVerified)
    }

    func history(with address: Address, for job: Job) throws(StoreError) {
        let users = device.contacts.everHad(address)
        let peers = users.map { Peer.user($0) } + [.address(address)]
        var after: Int64 = 0
        while true {
            let page = try store.history(with: peers, after: after, limit: 512)
            guard let last = page.last else { break }
            after = last.sequence
            for stored in page {
                var verified = false
                if case .user(let user) = stored.record.peer { verified = device.contacts[user]?.isVerified ?? false }
                job.reply(.message(line(stored, peer: "\(address)", isVerified: verified)))
            }
        }
        finish(job)
    }

    // MARK: Contacts

    func act(_ action: ContactAction, on address: Address, for job: Job) throws {
        switch action {
        case .trust:
            guard device.contacts.claimant(of: address) != nil else {
                return finish(
                    job,
                    .refused(
                        ClientError(
                            .data, what: "There is nothing to decide about \(address).", why: "No other key claims the address.",
                            remedy: "Use: courier contact show \(address)")))
            }
            feed(.contactDecided(address, .trust))
            conclude(job, address)
        case .block where device.contacts[address] != nil, .verify where device.contacts[address] != nil:
            decide(action, on: address, for: job)
        case .show, .block, .verify:
            // Asked of the directory once there is a session, or told that there is none.
            if device.isLive {
                feed(.contactRequested(job.ticket, address))
            } else {
                feed(.sessionWanted)
                if lastFailure != nil { feed(.contactRequested(job.ticket, address)) }
            }
        }
    }

    func tell(_ ticket: Ticket, _ result: Result<Contact, Refusal>) {
        guard let job = jobs[ticket.value], case .contact(let text, let action) = job.request, let address = try? Address(text)
        else { return }
        switch result {
        case .failure(let refusal):
            if refusal.code.isTransient, let lastFailure { return finish(job, .refused(ClientError(lastFailure))) }
            finish(job, .refused(ClientError(refusal)))
        case .success: decide(action, on: address, for: job)
        }
    }

    private func decide(_ action: ContactAction, on address: Address, for job: Job) {
        switch action {
        case .show, .trust: break
        case .block(let isBlocked): feed(.contactDecided(address, .block(isBlocked)))
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

    private func conclude(_ job: Job, _ address: Address) {
        if let contact = device.contacts[address] { job.reply(.contact(line(contact))) }
        if let claimant = device.contacts.claimant(of: address) {
            job.reply(.contact(line(claimant)))
            job.reply(
                .warning("The identity key of \(address) has changed. Compare safety numbers, then: courier contact trust \(address)"))
        }
        finish(job)
    }
}
