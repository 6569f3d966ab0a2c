internal import ClientCore
internal import NIOCore
internal import Vocabulary

// What a full-screen client asks for.

extension Owner {
    /// What is said while a request runs.
    func hear(_ said: Said, from id: JobID) {
        switch said {
        case .request: break
        case .shown(let sequences): shown(sequences, by: id)
        case .chat(let word):
            guard let chat = chats[id], !isStopped else { return }
            do { try hear(word, chat) } catch { chat.refuse(error, by: self) }
        }
    }

    var sortedChats: [Chat] { chats.isEmpty ? [] : chats.values.sorted { $0.job.id < $1.job.id } }

    func beginChat(for job: Job) throws {
        guard device.account.isMember else { throw ClientError(.configuration, SendError.notJoined.explanation) }
        chats[job.id] = Chat(job)
        job.reply(.chat(.began))
        feed(.sessionWanted)
    }

    func end(_ chat: Chat) {
        stopTyping(chat)
        for timer in chat.typists.values.lazy.flatMap(\.values) { timer.cancel() }
        for id in chat.asked.values.sorted() { end(id) }
        watchPresence()
    }

    private func hear(_ word: ChatWord, _ chat: Chat) throws {
        switch word {
        case .start: try start(chat)
        case .begin(let text):
            let address = try Address(text)
            if address == device.account.address { throw ClientError(.data, SendError.toOneself.explanation) }
            if device.contacts[address]?.isBlocked == true { throw ClientError(.permission, SendError.blocked(address).explanation) }
            let thread = Chat.Thread.direct(address)
            if chat.begun.count < Chat.begunMax { chat.begun.insert(thread) }
            try refresh([thread], in: chat)
        case .open(let id): try open(thread(id), chat)
        case .older(let id, let before): try tellOlder(than: before, in: thread(id), chat)
        case .send(let message, let id, let text):
            do { try send(text, as: message, in: thread(id), chat) } catch let error as ClientError {
                chat.reply(.sendRefused(message: message, error))
            }
        case .typing(let id, let isTyping): try type(isTyping, in: thread(id), chat)
        case .read(let id, let sequence): try read(through: sequence, in: thread(id), chat)
        case .ask(let number, let request): ask(request, as: number, chat)
        }
    }

    private func thread(_ id: String) throws -> Chat.Thread {
        guard let thread = Chat.Thread(id) else {
            throw ClientError(.usage, what: "There is no such conversation.", why: Printable.line(id), remedy: "Report this.")
        }
        return thread
    }

    // MARK: Sending

    private func send(_ text: String, as id: String, in thread: Chat.Thread, _ chat: Chat) throws {
        guard let message = MessageID(hex: id) else {
            throw ClientError(.usage, what: "That is no message id.", why: id, remedy: "Report this.")
        }
        if let stored = try store.message(message) {
            chat.reply(.line(thread.id, .message(historyLine(stored))))
            return feed(.sessionWanted)
        }
        let target: Target
        switch thread {
        case .direct(let address): target = .address(address)
        case .group(let group): target = .group(group)
        case .stranger:
            throw ClientError(
                .data, what: "Nothing can be sent to a user without an address.", why: "The directory does not know who this is.",
                remedy: "Wait until the user's node is back.")
        }
        chat.sent.insert(message)
        feed(.sessionWanted, .sendRequested(OutgoingText(message: message, target: target, text: text, sent: Clock.wall)))
    }

    func tellChats(_ message: MessageID, _ error: SendError) {
        for chat in sortedChats where chat.sent.contains(message) {
            chat.reply(.sendRefused(message: message.hex, ClientError(.data, error.explanation)))
        }
    }

    // MARK: Reading

    /// What is on the user's screen: "read" for those who wrote it.
    private func read(through sequence: Int64, in thread: Chat.Thread, _ chat: Chat) throws {
        guard chat.rows[thread]?.isRequest != true else { return }
        while true {
            let page = try store.unshown(of: peers(of: thread), through: sequence, limit: 1_000)
            guard !page.isEmpty else { break }
            for stored in page {
                guard let key = stored.record.conversation, let number = stored.record.status.number else { continue }
                shownThrough[key.conversation] = max(shownThrough[key.conversation] ?? .zero, number)
            }
            try store.markShown(page.map(\.sequence))
            beingShown.subtract(page.map(\.sequence))
        }
        sayShown()
        refreshChats()
    }

    // MARK: Typing

    private func type(_ isTyping: Bool, in thread: Chat.Thread, _ chat: Chat) throws {
        stopTyping(chat)
        guard isTyping, let id = conversationToTypeIn(thread) else { return }
        feed(.typing(id, true))
        let again = loop.scheduleRepeatedTask(initialDelay: Chat.typingSaidEvery, delay: Chat.typingSaidEvery) { [weak self] _ in
            self?.feed(.typing(id, true))
        }
        chat.typing = (thread, again)
    }

    func stopTyping(_ chat: Chat) {
        guard let (thread, again) = chat.typing else { return }
        again.cancel()
        chat.typing = nil
        if let id = conversationToTypeIn(thread) { feed(.typing(id, false)) }
    }

    private func conversationToTypeIn(_ thread: Chat.Thread) -> ConversationID? {
        switch thread {
        case .group(let id): device.conversations.current(of: id)
        case .stranger: nil
        case .direct(let address):
            device.contacts[address].flatMap { contact in
                device.conversations.direct(with: contact.user).first { $0.standing == .accepted && $0.head > .zero }?.id
            }
        }
    }

    // MARK: Other requests

    private func ask(_ request: Request, as number: UInt64, _ chat: Chat) {
        switch request {
        case .chat, .receive, .join: return chat.reply(.answer(number, .done))
        default: break
        }
        let id = begin(request) { [weak self, id = chat.job.id] reply in
            guard let chat = self?.chats[id] else { return }
            chat.reply(.answer(number, reply))
            if case .done = reply { chat.asked[number] = nil }
        }
        if jobs[id] != nil { chat.asked[number] = id }
    }
}

extension Chat {
    fileprivate func refuse(_ error: any Error, by owner: Owner) {
        switch error {
        case let error as StoreError: owner.fail(error)
        case let error as ClientError: reply(.problem(error))
        case let error as NameError: reply(.problem(ClientError(.data, error.explanation)))
        default: reply(.problem(ClientError(.data, what: "That failed.", why: "\(error)", remedy: "Report this.")))
        }
    }
}
