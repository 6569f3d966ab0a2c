internal import ClientCore
internal import Vocabulary

// Messages on their way to whoever shows them, and back the word that they were shown: that is what "read" means.

extension Owner {
    private static let inHandMax = 256

    /// How a stored message is shown now.
    private enum Appearance {
        case line(MessageLine)
        /// Its sender has no name yet, or a contested one: it waits, and what comes after it in the conversation with it.
        case held
        /// The user has decided not to see it.
        case never
    }

    func handToAll() {
        for job in sortedJobs { hand(to: job) }
    }

    /// Hands over what is not shown yet and whose sender has a name. It counts as shown when the other side says that it has written it.
    func hand(to job: Job) {
        guard case .receive(let follow, _) = job.request, !isEnding else { return }
        var (after, handed): (Int64, Bool) = (0, false)
        var held: Set<ConversationID?> = []
        var unwanted: [Int64] = []
        do {
            while job.inHand.count < Self.inHandMax {
                let page = try store.unshown(after: after, limit: Self.inHandMax)
                guard let last = page.last else { break }
                after = last.sequence
                for stored in page where !beingShown.contains(stored.sequence) && !held.contains(stored.record.conversation?.conversation) {
                    switch appearance(of: stored) {
                    case .held: held.insert(stored.record.conversation?.conversation)
                    case .never: unwanted.append(stored.sequence)
                    case .line(let line):
                        give(stored, line, to: job)
                        handed = true
                    }
                }
            }
            if !unwanted.isEmpty { try store.markShown(unwanted) }
        } catch { return fail(error) }
        if handed { job.reply(.page) }
        settle(job, follow: follow)
    }

    private func give(_ stored: ProfileStore.Stored, _ line: MessageLine, to job: Job) {
        let isNews = !stored.isShown && !beingShown.contains(stored.sequence)
        if isNews { beingShown.insert(stored.sequence) }
        job.inHand[stored.sequence] = Handed(
            isNews: isNews, conversation: stored.record.conversation?.conversation, number: stored.record.status.number)
        job.reply(.message(line))
    }

    func settle(_ job: Job, follow: Bool) {
        guard device.isSettled, !device.isBusy || Clock.now >= settleBy, job.inHand.isEmpty, !job.isSettled else { return }
        job.isSettled = true
        job.reply(.settled)
        if !follow { finish(job) }
    }

    private func appearance(of stored: ProfileStore.Stored) -> Appearance {
        let record = stored.record
        switch record.peer {
        case .address(let address): return .line(line(stored, from: "\(address)"))
        case .user(let user):
            if device.contacts[user]?.isBlocked == true { return .never }
            if isRequest(record), let id = record.conversation?.conversation, device.conversations[id]?.standing == .declined {
                return .never
            }
            return switch device.name(of: user) {
            case .known(let address, let verified): .line(line(stored, from: "\(address)", isVerified: verified))
            case .unlisted: .line(line(stored, from: display(user)))
            case .pending, .held: .held
            }
        case .group:
            let users = [record.author].compactMap(\.self) + record.concerned
            guard !users.contains(where: { device.name(of: $0) == .pending }) else { return .held }
            return .line(groupLine(stored))
        }
    }

    // MARK: Shown

    func shown(_ sequences: [Int64], by id: JobID) {
        guard let job = jobs[id], !isStopped else { return }
        var news: [Int64] = []
        for sequence in sequences {
            guard let handed = job.inHand.removeValue(forKey: sequence), handed.isNews else { continue }
            news.append(sequence)
            if let conversation = handed.conversation, let number = handed.number {
                shownThrough[conversation] = max(shownThrough[conversation] ?? .zero, number)
            }
        }
        beingShown.subtract(news)
        if !news.isEmpty {
            do { try store.markShown(news) } catch { return fail(error) }
            sayShown()
            refreshChats()
        }
        switch job.request {
        case .history: if job.inHand.isEmpty { goOn(job) }
        default: hand(to: job)
        }
        endIfIdle()
    }

    /// Through where nothing is missing: what another process has in hand is not shown yet.
    func sayShown() {
        var lowest: [ConversationID: SequenceNumber] = [:]
        for handed in jobs.values.lazy.flatMap(\.inHand.values) where handed.isNews {
            guard let conversation = handed.conversation, let number = handed.number else { continue }
            lowest[conversation] = min(lowest[conversation] ?? number, number)
        }
        var inputs: [Device.Input] = []
        for (conversation, number) in shownThrough.sorted(by: { $0.key < $1.key }) {
            if let first = lowest[conversation], first <= number { continue }
            shownThrough[conversation] = nil
            inputs.append(.shown(conversation, through: number))
        }
        feed(inputs)
    }

    // MARK: The history

    func beginHistory(of target: String, for job: Job) throws {
        if target.contains("@") {
            let address = try Address(target)
            let peers = peers(of: address)
            if device.contacts.everHad(address).isEmpty, try store.history(with: peers, after: 0, limit: 1).isEmpty {
                throw ClientError(
                    .data, what: "There is no history with \(address).",
                    why: "This profile has neither written to that address nor heard from it.",
                    remedy: "See whom it knows: courier contact list")
            }
            histories[job.id] = peers
        } else {
            histories[job.id] = device.conversations.thread(of: try group(named: target).id).map { .group($0) }
        }
        goOn(job)
    }

    func peers(of address: Address) -> [Peer] { device.contacts.everHad(address).map { Peer.user($0) } + [.address(address)] }

    /// The next page; the one before was shown.
    private func goOn(_ job: Job) {
        guard let peers = histories[job.id] else { return }
        do {
            let page = try store.history(with: peers, after: job.cursor, limit: Self.inHandMax)
            guard let last = page.last else {
                histories[job.id] = nil
                return finish(job)
            }
            job.cursor = last.sequence
            for stored in page { give(stored, historyLine(stored), to: job) }
            job.reply(.page)
        } catch { fail(error) }
    }
}
