internal import ClientCore
internal import Vocabulary

extension Owner {
    /// One request that is being answered.
    final class Job {
        let id: JobID
        let request: Request
        let reply: @Sendable (Reply) -> Void
        /// Messages handed over of which the other side has not said that they were shown; of those that are news, their place.
        var inHand: [Int64: Handed] = [:]
        /// What a history has come to.
        var cursor: Int64 = 0
        /// When the message to send was first handed to the connection.
        var submitted: Instant?
        /// The last one handed over: what comes before it has been, or is held back.
        var isSettled = false
        /// Answered once what was waiting at the node has come.
        var waitsForNode = false
        /// What was decided about a stranger.
        var decision: Decision?
        /// What was told of each user's presence.
        var presences: [UserID: Presence] = [:]
        var ticket: Ticket { Ticket(id) }

        init(id: JobID, request: Request, reply: @escaping @Sendable (Reply) -> Void) {
            (self.id, self.request, self.reply) = (id, request, reply)
        }

        struct Decision {
            let name: String
            /// It was so before.
            let already: Bool
        }

        /// Shows messages as they come.
        var isReceiver: Bool { if case .receive = request { true } else { false } }
        var wantsEvents: Bool { if case .receive(_, true) = request { true } else { false } }
    }

    struct Handed {
        let isNews: Bool
        let conversation: ConversationID?
        let number: SequenceNumber?
    }

    /// Answers what can be answered from the profile, and begins what needs the node.
    func start(_ job: Job) {
        do {
            switch job.request {
            case .join:
                if device.account.isMember { return finish(job, .joined(me)) }
                feed(.sessionWanted)
            case .whoami: finish(job, .me(me))
            case .send(_, let target, _) where !target.contains("@") && mayStillCome(target): askNode(for: job)
            case .send(let message, let target, let text): try send(message, to: target, text, for: job)
            case .receive:
                feed(.sessionWanted)
                watchPresence()
                hand(to: job)
                if let sessionFailure { job.reply(.down(ClientError(sessionFailure))) }
            case .outbox:
                for item in device.outbox.waiting { job.reply(.waiting(line(item))) }
                finish(job)
            case .contacts:
                for contact in device.contacts.all where contact.address != nil { job.reply(.contact(line(contact))) }
                finish(job)
            case .contact(let address, let action): try act(action, on: Address(address), for: job)
            case .settings(let change):
                if let change { feed(.settingsChanged(sendsReadReceipts: change.readReceipts, sharesLastSeen: change.lastSeen)) }
                // What others see of us is the node's to tell; read receipts are this device's.
                if change?.lastSeen != nil { askNode(for: job) } else { tellSettings(to: job) }
            case .alarms:
                for alarm in try store.alarms() { job.reply(.alarm(line(alarm))) }
                finish(job)
            case .group(.info(let name)):
                // Named before the wait, so that a name that nobody has is refused at once where no node can help.
                if !device.account.isMember { _ = try group(named: name) }
                if let one = try? group(named: name) { feed(.namesWanted(one.id)) }
                askNode(for: job)
            case .groups, .receipts, .requests, .history: askNode(for: job)
            case .group(let action):
                let isKnown = action.group.map { !mayStillCome($0) } ?? true
                if isKnown, device.isSettled || !action.concernsMembers { try change(action, for: job) } else { askNode(for: job) }
            case .presence(let address, _): try beginPresence(of: Address(address), for: job)
            case .chat: try beginChat(for: job)
            }
        } catch { refuse(job, error) }
    }

    func refuse(_ job: Job, _ error: any Error) {
        switch error {
        case let error as StoreError: fail(error)
        case let error as NameError: finish(job, .refused(ClientError(.data, error.explanation)))
        case let error as ClientError: finish(job, .refused(error))
        default: finish(job, .refused(ClientError(.data, what: "The request failed.", why: "\(error)", remedy: "Report this.")))
        }
    }

    func finish(_ job: Job, _ reply: Reply = .done) {
        jobs[job.id] = nil
        job.reply(reply)
        switch reply {
        case .done, .refused: break
        default: job.reply(.done)
        }
    }

    var sortedJobs: [Job] { jobs.values.sorted { $0.id < $1.id } }

    // MARK: What is better asked once the node has told what waits

    func askNode(for job: Job) {
        guard device.account.isMember else { return answer(job) }
        job.waitsForNode = true
        feed(.sessionWanted)
        guard jobs[job.id] != nil, job.waitsForNode else { return }
        if let sessionFailure { return answer(job, without: sessionFailure) }
        loop.scheduleTask(in: .seconds(3)) { [weak self, id = job.id] in
            guard let self, let job = self.jobs[id], job.waitsForNode else { return }
            let isUntold = job.request.decides && !self.device.hasToldHome
            self.answer(job, without: isUntold ? .unreachable(self.device.account.endpoint, "It has not answered within 3 s.") : nil)
        }
        settleAll()
    }

    /// A group that is not known here: its Welcome may be waiting at the node.
    private func mayStillCome(_ name: String) -> Bool { device.account.isMember && (try? group(named: name)) == nil }

    private func answer(_ job: Job, without failure: SessionFailure? = nil) {
        job.waitsForNode = false
        if let failure, !job.request.changesGroup {
            var rest = "This is what is known so far."
            if job.request.decides { rest = "It is decided here; your node learns of it with the next command that reaches it." }
            job.reply(.warning("\(failure.explanation.what) \(failure.explanation.why) \(rest)"))
        }
        do {
            switch job.request {
            case .groups:
                for one in device.conversations.currentGroups { job.reply(.group(line(one, withMembers: false))) }
            case .group(.info(let name)): job.reply(.group(line(try group(named: name), withMembers: true)))
            case .group(let action): return try change(action, for: job)
            case .send(let message, let target, let text): return try send(message, to: target, text, for: job)
            case .receipts(let message): try tellReceipts(of: message, to: job)
            case .requests: try tellRequests(to: job)
            case .history(let target): return try beginHistory(of: target, for: job)
            case .contact(let address, _): conclude(job, try Address(address))
            case .settings: tellSettings(to: job)
            default: break
            }
            if jobs[job.id] != nil { finish(job) }
        } catch { refuse(job, error) }
    }

    private func tellSettings(to job: Job) {
        let settings = device.settings
        finish(job, .settings(SettingsLine(readReceipts: settings.sendsReadReceipts, lastSeen: settings.sharesLastSeen)))
    }

    // MARK: Sending

    private func send(_ id: String, to target: String, _ text: String, for job: Job) throws {
        guard let message = MessageID(hex: id) else {
            throw ClientError(.usage, what: "That is no message id.", why: id, remedy: "Report this.")
        }
        if let stored = try store.message(message) {
            feed(.sessionWanted)
            return tell(message, stored.record.status)
        }
        let place: Target = target.contains("@") ? .address(try Address(target)) : .group(try group(named: target).id)
        feed(.sessionWanted, .sendRequested(OutgoingText(message: message, target: place, text: text, sent: Clock.wall)))
        if let sessionFailure, jobs[job.id] != nil { job.reply(.down(ClientError(sessionFailure))) }
    }

    func tell(_ message: MessageID, _ status: MessageStatus) {
        let id = message.hex
        for job in sortedJobs {
            guard case .send(id, _, _) = job.request else { continue }
            job.reply(
                .state(
                    StateLine(
                        id: id, state: status.state.name, number: status.number?.value, code: status.refusal.map { "\($0.code)" },
                        reason: status.refusal.map { Printable.line($0.detail) },
                        failure: failure(of: status, message),
                        elapsed: job.submitted.map { UInt64(clamping: (Clock.now - $0).nanoseconds / 1000) })))
            // In a group without other members `accepted` is the end.
            if status.state >= .read || status.state == .accepted && device.outbox[message] == nil { finish(job) }
        }
    }

    private func failure(of status: MessageStatus, _ message: MessageID) -> ClientError? {
        switch (status.state, status.refusal) {
        case (.failed, let refusal): ClientError(refusal ?? Refusal(.unknown, "no reason was given"))
        case (.accepted, let refusal?):
            ClientError(
                .data, what: "The message does not come to all members.", why: Printable.line(refusal.detail),
                remedy: "See who lacks it with: courier receipts \(message.hex)")
        default: nil
        }
    }

    /// For the times that are shown with the states.
    func submitting(_ message: MessageID) {
        let id = message.hex
        for job in jobs.values where job.submitted == nil {
            if case .send(id, _, _) = job.request { job.submitted = Clock.now }
        }
    }

    func tell(_ message: MessageID, _ error: SendError) {
        tellChats(message, error)
        let id = message.hex
        for job in sortedJobs {
            guard case .send(id, _, _) = job.request else { continue }
            let code: ClientError.Code =
                switch error {
                case .keyChanged: .keyChanged
                case .notJoined: .configuration
                case .empty, .tooLong, .toOneself, .unknownGroup: .data
                case .outboxFull, .groupEnded: .unavailable
                case .blocked, .notInGroup: .permission
                }
            finish(job, .refused(ClientError(code, error.explanation)))
        }
    }

    /// Of what nobody waits for any more: to whoever is there.
    func tell(_ late: ClientError) {
        for job in sortedJobs { if case .chat = job.request { job.reply(.chat(.problem(late))) } else { job.reply(.late(late)) } }
    }

    // MARK: The session

    func settleAll() {
        for job in sortedJobs {
            switch job.request {
            case .receive(let follow, _): settle(job, follow: follow)
            case .join where device.account.isMember && device.isSettled: finish(job, .joined(me))
            case .presence(let text, let follow) where device.isSettled && !job.isSettled:
                guard let address = try? Address(text) else { continue }
                settlePresence(of: address, follow: follow, for: job)
            default: if job.waitsForNode, device.isSettled { answer(job) }
            }
        }
    }

    func tell(_ change: SessionChange) {
        for job in sortedJobs {
            switch (job.request, change) {
            case (.join, .joinRefused(let refusal)): finish(job, .refused(ClientError(refusal)))
            case (.join, .down) where device.account.isMember: finish(job, .joined(me))
            case (.contact(let text, _), .up) where !job.waitsForNode:
                if let address = try? Address(text) { feed(.contactRequested(job.ticket, address)) }
            case (.contact(let text, _), .down) where !job.waitsForNode:
                if let address = try? Address(text) { feed(.contactRequested(job.ticket, address)) }
            case (.presence(_, follow: false), .down(let failure)): finish(job, .refused(ClientError(failure)))
            case (.join, .down(let failure)), (.receive, .down(let failure)), (.presence, .down(let failure)):
                // Refused for good: nothing is tried any more that would be worth waiting for.
                if device.isOver { finish(job, .refused(ClientError(failure))) } else { job.reply(.down(ClientError(failure))) }
            case (.send, .down(let failure)) where !job.waitsForNode: job.reply(.down(ClientError(failure)))
            case (.receive, .up), (.presence, .up): job.reply(.up)
            case (.chat, .up), (.chat, .down): tellConnection(to: job)
            case (.receive, .caughtUp): hand(to: job)
            case (_, .down(let failure)) where job.waitsForNode: answer(job, without: failure)
            default: break
            }
        }
    }
}

extension ClientError {
    init(_ failure: SessionFailure) {
        switch failure {
        case .unreachable, .misbehaved, .stalled: self.init(.unavailable, failure.explanation)
        case .wrongNode: self.init(.permission, failure.explanation)
        case .refused(let refusal): self.init(refusal)
        }
    }
}
