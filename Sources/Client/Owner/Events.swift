internal import ClientCore
internal import Vocabulary

// What happens besides messages, told to whoever follows.

extension Owner {
    func tell(_ news: ReceiptNews) {
        let event = ReceiptEvent(
            messages: news.messages.map(\.hex), by: display(news.by.user), device: news.by.device.hex, state: news.state.name,
            place: place(of: news.conversation))
        for job in sortedJobs where job.wantsEvents { job.reply(.receipt(event)) }
    }

    func tellTyping(_ id: ConversationID, _ user: UserID, _ isTyping: Bool) {
        let event = TypingEvent(from: display(user), isTyping: isTyping, place: place(of: id))
        for job in sortedJobs where job.wantsEvents { job.reply(.typing(event)) }
        for chat in sortedChats { note(typing: isTyping, by: user, in: id, chat) }
    }

    func tellHole(_ id: ConversationID, _ count: Int) {
        for job in sortedJobs where job.isReceiver { job.reply(.hole(HoleEvent(count: count, place: place(of: id)))) }
        for chat in sortedChats { note(hole: count, in: id, chat) }
    }

    func tell(_ alarms: [AlarmRecord]) {
        for alarm in alarms { for job in sortedJobs where job.isReceiver { job.reply(.alarm(line(alarm))) } }
    }

    // MARK: Presence

    /// What those who follow want to see, as one list.
    func watchPresence() {
        var addresses: Set<Address> = []
        for job in jobs.values {
            switch job.request {
            case .presence(let text, _): if let address = try? Address(text) { addresses.insert(address) }
            case .receive(follow: true, events: true):
                for contact in device.contacts.all where contact.presenceToken != nil && contact.standing == .pinned && !contact.isBlocked {
                    if let address = contact.address { addresses.insert(address) }
                }
            case .chat: addresses.formUnion(chatContacts)
            default: break
            }
        }
        let wanted = addresses.sorted()
        guard wanted != presenceWanted else { return }
        presenceWanted = wanted
        feed(.presenceWanted(wanted))
    }

    func beginPresence(of address: Address, for job: Job) throws {
        guard address != device.account.address else {
            throw ClientError(.data, what: "That is your own address.", why: "You are here.", remedy: "Name a contact.")
        }
        feed(.sessionWanted)
        guard jobs[job.id] != nil else { return }
        if let sessionFailure {
            if case .presence(_, follow: false) = job.request { return finish(job, .refused(ClientError(sessionFailure))) }
            job.reply(.down(ClientError(sessionFailure)))
        }
        // Others watch the same: the node tells everything once more.
        presenceWanted = []
        watchPresence()
        settleAll()
    }

    /// Everything that was waiting has come, and with it the token if there is one. Without one it is the same whoever it is: somebody who
    /// blocked us, a stranger, or nobody.
    func settlePresence(of address: Address, follow: Bool, for job: Job) {
        job.isSettled = true
        guard device.contacts[address]?.presenceToken == nil else { return }
        job.reply(.presence(PresenceEvent(address: "\(address)", state: .notShared)))
        if !follow { finish(job) }
    }

    func tell(_ user: UserID, _ presence: Presence) {
        guard let address = device.contacts[user]?.address else { return }
        let state: PresenceEvent.State =
            switch presence {
            case .online: .online
            case .offline(let seconds?): .lastSeen(Int64(clamping: seconds) &* 1000)
            case .offline(nil): .notShared
            case .unheard: .unknown(reason: "the node of \(address) has not heard of the user since it started")
            case .unreachable: .unknown(reason: "the node of \(address) cannot be reached")
            }
        for job in sortedJobs where job.presences[user] != presence {
            switch job.request {
            case .presence(let text, let follow) where text == "\(address)" || (try? Address(text)) == address:
                job.presences[user] = presence
                // The home says so too until the user's home has answered.
                switch presence {
                case .offline(nil) where !follow && device.contacts[user]?.presenceToken != nil, .unheard where !follow,
                    .unreachable where !follow:
                    concludeLater(job, address, state)
                    continue
                case .online, .offline, .unheard, .unreachable: break
                }
                job.reply(.presence(PresenceEvent(address: "\(address)", state: state)))
                if !follow { finish(job) }
            case .receive(follow: true, events: true):
                job.presences[user] = presence
                job.reply(.presence(PresenceEvent(address: "\(address)", state: state)))
            case .chat:
                job.presences[user] = presence
                job.reply(.chat(.presence("\(address)", state)))
            default: break
            }
        }
    }

    /// Unless something else is told meanwhile.
    private func concludeLater(_ job: Job, _ address: Address, _ state: PresenceEvent.State) {
        guard let user = device.contacts[address]?.user, let told = job.presences[user] else { return }
        loop.scheduleTask(in: .milliseconds(1500)) { [weak self, id = job.id] in
            guard let self, let job = self.jobs[id], job.presences[user] == told else { return }
            job.reply(.presence(PresenceEvent(address: "\(address)", state: state)))
            self.finish(job)
        }
    }
}
