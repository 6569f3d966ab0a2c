internal import ClientCore
internal import Vocabulary

extension Owner {
    /// One request that is being answered.
    final class Job {
        let id: JobID
        let request: Request
        let reply: @Sendable (Reply) -> Void
        /// Messages handed over and not yet shown.
        var inHand: Set<Int64> = []
        /// When the message to send was first handed to the connection.
        var submitted: Instant?
        /// The last one handed over: what comes before it has been, or is held back.
        var isSettled = false
        var ticket: Ticket { Ticket(id) }

        init(id: JobID, request: Request, reply: @escaping @Sendable (Reply) -> Void) {
            (self.id, self.request, self.reply) = (id, request, reply)
        }
    }

    /// Answers what can be answered from the profile, and begins what needs the node.
    func start(_ job: Job) {
        do {
            switch job.request {
            case .join:
                if device.account.isMember { return finish(job, .joined(me)) }
                feed(.sessionWanted)
            case .whoami: finish(job, .me(me))
            case .send(let message, let address, let text): try send(message, to: address, text, for: job)
            case .receive:
                feed(.sessionWanted)
                hand(to: job)
                if let failure = lastFailure, !device.isLive { job.reply(.down(ClientError(failure))) }
            case .history(let address): try history(with: Address(address), for: job)
            case .outbox:
                for item in device.outbox.waiting {
                    let reason = item.refusal.map { Printable.line("\($0.code): \($0.detail)") }
                    job.reply(
                        .waiting(
                            OutboxLine(
                                id: item.message.hex, address: "\(item.address)", state: item.state.name,
                                reason: reason ?? (device.isLive ? nil : lastFailure?.explanation.why))))
                }
                finish(job)
            case .contacts:
                for contact in device.contacts.all where contact.address != nil { job.reply(.contact(line(contact))) }
                finish(job)
            case .contact(let address, let action): try act(action, on: Address(address), for: job)
            }
        } catch let error as StoreError {
            fail(error)
        } catch let error as NameError {
            finish(job, .refused(ClientError(.data, error.explanation)))
        } catch {
            finish(job, .refused(ClientError(.data, what: "The request failed.", why: "\(error)", remedy: "Report this.")))
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

    private var sortedJobs: [Job] { jobs.values.sorted { $0.id < $1.id } }

    // MARK: Sending

    private func send(_ id: String, to address: String, _ text: String, for job: Job) throws {
        guard let message = MessageID(hex: id) else {
            return finish(job, .refused(ClientError(.usage, what: "That is no message id.", why: id, remedy: "Report this.")))
        }
        let address = try Address(address)
        if let status = try store.status(of: message) {
            feed(.sessionWanted)
            return tell(message, status)
        }
        feed(.sessionWanted, .sendRequested(OutgoingText(message: message, address: address, text: text, sent: Clock.wall)))
        if let failure = lastFailure, !device.isLive, jobs[job.id] != nil { job.reply(.down(ClientError(failure))) }
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
                        failure: status.state == .failed ? ClientError(status.refusal ?? Refusal(.unknown, "no reason was given")) : nil,
                        elapsed: job.submitted.map { UInt64(clamping: (Clock.now - $0).nanoseconds / 1000) })))
            if status.state == .failed || status.state >= .delivered { finish(job) }
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
        let id = message.hex
        for job in sortedJobs {
            guard case .send(id, _, _) = job.request else { continue }
            let code: ClientError.Code =
                switch error {
                case .keyChanged: .keyChanged
                case .notJoined: .configuration
                case .empty, .tooLong, .toOneself: .data
                case .outboxFull: .unavailable
                case .blocked: .permission
                }
            finish(job, .refused(ClientError(code, error.explanation)))
        }
    }

    // MARK: Showing

    func handToAll() {
        for job in sortedJobs { hand(to: job) }
    }

    /// Hands over what is not shown yet and whose sender has a name. It counts as shown when the other side says that it has written it.
    func hand(to job: Job) {
        guard case .receive(let follow) = job.request, !isEnding else { return }
        var (after, handed): (Int64, Bool) = (0, false)
        do {
            while job.inHand.count < 256 {
                let page = try store.unshown(after: after, limit: 256)
                guard let last = page.last else { break }
                after = last.sequence
                for stored in page where !beingShown.contains(stored.sequence) {
                    guard let line = shownLine(stored) else { continue }
                    beingShown.insert(stored.sequence)
                    job.inHand.insert(stored.sequence)
                    job.reply(.message(line))
                    handed = true
                }
            }
        } catch { return fail(error) }
        if handed { job.reply(.page) }
        settle(job, follow: follow)
    }

    func settleAll() {
        for job in sortedJobs {
            if case .receive(let follow) = job.request { settle(job, follow: follow) }
        }
    }

    private func settle(_ job: Job, follow: Bool) {
        guard device.isSettled, job.inHand.isEmpty, !job.isSettled else { return }
        job.isSettled = true
        job.reply(.settled)
        if !follow { finish(job) }
    }

    // MARK: The session

    func tell(_ change: SessionChange) {
        for job in sortedJobs {
            switch (job.request, change) {
            case (.join, .joined): finish(job, .joined(me))
            case (.join, .joinRefused(let refusal)): finish(job, .refused(ClientError(refusal)))
            case (.contact(let text, _), .up):
                if let address = try? Address(text) { feed(.contactRequested(job.ticket, address)) }
            case (.contact(let text, _), .down):
                if let address = try? Address(text) { feed(.contactRequested(job.ticket, address)) }
            case (.join, .down(let failure)), (.receive, .down(let failure)):
                // Refused for good: nothing is tried any more that would be worth waiting for.
                if device.isOver { finish(job, .refused(ClientError(failure))) } else { job.reply(.down(ClientError(failure))) }
            case (.send, .down(let failure)): job.reply(.down(ClientError(failure)))
            case (.receive, .up): job.reply(.up)
            case (.receive, .caughtUp): hand(to: job)
            default: break
            }
        }
    }
}

extension ClientError {
    init(_ failure: SessionFailure) {
        switch failure {
        case .unreachable: self.init(.unavailable, failure.explanation)
        case .wrongNode: self.init(.permission, failure.explanation)
        case .refused(let refusal): self.init(refusal)
        }
    }
}
