internal import ClientCore
internal import NIOCore
internal import Vocabulary

// What a batch changed, as a full-screen client is told it.

extension Owner {
    func tellChats(_ writes: [ClientWrite]) {
        guard !chats.isEmpty, !isStopped else { return }
        do { for chat in sortedChats where chat.hasStarted { try tell(writes, to: chat) } } catch {
            if let error = error as? StoreError { fail(error) }
        }
    }

    private func tell(_ writes: [ClientWrite], to chat: Chat) throws {
        var changed: Set<Chat.Thread> = []
        var named = false
        for write in writes {
            switch write {
            case .message(let record):
                guard let thread = thread(of: record) else { continue }
                changed.insert(thread)
                if case .membership = record.body, case .group = record.peer, case .group(let id) = thread { chat.members[id] = nil }
                if let author = record.author, !record.isOutgoing { note(typing: false, by: author, in: thread, chat) }
                if chat.opened.contains(thread), let stored = try store.message(record) { tell(stored, in: thread, chat) }
            case .status(let message, let status):
                if status.number != nil { chat.sent.remove(message) }
                guard let stored = try store.message(message), let thread = thread(of: stored.record), chat.opened.contains(thread)
                else { continue }
                // Now it has its place.
                if status.state == .accepted {
                    tell(stored, in: thread, chat)
                } else {
                    let line = historyLine(stored)
                    chat.reply(.state(thread.id, message: line.id, state: line.state ?? status.state.name, reason: line.reason))
                }
            case .conversation(let one):
                if let thread = thread(of: one) { changed.insert(thread) }
                if one.hasSucceeded { changed.insert(.group(one.id)) }
                if let now = device.conversations[one.id], !now.hasHole { fill(now, chat) }
            case .contact(let contact):
                changed.insert(.stranger(contact.user))
                if let address = contact.address {
                    changed.insert(.direct(address))
                    try noteClaim(address, chat)
                    if chat.unnamed.remove(contact.user) != nil { named = true }
                }
            case .alarm(let alarm):
                chat.alarmed.insert(alarm.key.conversation)
                guard let one = device.conversations[alarm.key.conversation], let thread = thread(of: one) else { continue }
                changed.insert(thread)
                if chat.opened.contains(thread) {
                    chat.reply(.line(thread.id, chatLine(alarm, after: nil)))
                }
            case .account, .settings, .conversationRemoved, .outbox, .outboxRemoved, .group, .pending, .keyPackage, .receipts, .order,
                .welcome:
                break
            }
        }
        if named { try rename(chat, &changed) }
        try refresh(changed, in: chat)
        if writes.contains(where: { if case .contact = $0 { true } else { false } }) { watchPresence() }
    }

    private func tell(_ stored: ProfileStore.Stored, in thread: Chat.Thread, _ chat: Chat) {
        let line = ChatLine.message(historyLine(stored))
        noteNames([line], chat)
        chat.reply(.line(thread.id, line))
    }

    /// Somebody has a name now who had none when it was told.
    private func rename(_ chat: Chat, _ changed: inout Set<Chat.Thread>) throws {
        for (id, members) in chat.members where members.contains(where: { $0.hasPrefix("unknown:") }) {
            chat.members[id] = nil
            changed.insert(.group(id))
        }
        for thread in chat.opened { if case .group = thread { try open(again: thread, chat) } }
    }

    /// Another key claims an address, or the user has decided about it.
    private func noteClaim(_ address: Address, _ chat: Chat) throws {
        let thread = Chat.Thread.direct(address)
        let isClaimed = device.contacts.claimant(of: address) != nil
        guard isClaimed != chat.claimed.contains(address) else { return }
        if isClaimed {
            chat.claimed.insert(address)
            if chat.opened.contains(thread) { chat.reply(.line(thread.id, claim(address))) }
        } else {
            chat.claimed.remove(address)
            if chat.opened.contains(thread) { try open(again: thread, chat) }
        }
    }

    /// Its page once more; which thread was used last stays as it is.
    private func open(again thread: Chat.Thread, _ chat: Chat) throws {
        let opened = chat.opened
        try open(thread, chat)
        chat.opened = opened
    }

    // MARK: Holes

    func note(hole count: Int, in id: ConversationID, _ chat: Chat) {
        guard let one = device.conversations[id], let thread = thread(of: one), chat.opened.contains(thread) else { return }
        chat.holes.insert(id)
        chat.reply(.line(thread.id, .hole(id: Self.holeID(id), count: count)))
    }

    private func fill(_ one: Conversation, _ chat: Chat) {
        guard chat.holes.remove(one.id) != nil, let thread = thread(of: one) else { return }
        chat.reply(.lineRemoved(thread.id, line: Self.holeID(one.id)))
    }

    // MARK: Typing

    func note(typing isTyping: Bool, by user: UserID, in id: ConversationID, _ chat: Chat) {
        guard let one = device.conversations[id], let thread = thread(of: one) else { return }
        note(typing: isTyping, by: user, in: thread, chat)
    }

    private func note(typing isTyping: Bool, by user: UserID, in thread: Chat.Thread, _ chat: Chat) {
        let before = chat.typists[thread]?[user]
        before?.cancel()
        if isTyping {
            chat.typists[thread, default: [:]][user] = loop.scheduleTask(in: Chat.typingBelievedFor) { [weak self, id = chat.job.id] in
                if let self, let chat = self.chats[id] { self.note(typing: false, by: user, in: thread, chat) }
            }
        } else {
            chat.typists[thread]?[user] = nil
            if chat.typists[thread]?.isEmpty == true { chat.typists[thread] = nil }
        }
        if isTyping != (before != nil) { tellTypists(in: thread, chat) }
    }

    func tellTypists(in thread: Chat.Thread, _ chat: Chat) {
        chat.reply(.typing(thread.id, (chat.typists[thread]?.keys.sorted() ?? []).map { display($0) }))
    }
}
