internal import ClientCore
internal import Vocabulary

// Which threads there are, and their pages.

extension Owner {
    private static let pageLines = 200
    /// Of text in one page: as JSON it fits a message between two processes, however it is escaped.
    private static let pageBytes = 64 * 1024

    // MARK: Threads

    /// Where what a user writes is shown; nil while nobody knows who it is, or the user has to decide about a changed key.
    func thread(of user: UserID) -> Chat.Thread? {
        if let contact = device.contacts[user], let address = contact.address {
            return contact.standing == .claiming ? nil : .direct(address)
        }
        return device.name(of: user) == .unlisted ? .stranger(user) : nil
    }

    func thread(of one: Conversation) -> Chat.Thread? {
        guard one.profile.isDirect else { return .group(device.conversations.root(of: one.id)) }
        return one.profile.peer(of: device.account.userID).flatMap { thread(of: $0) }
    }

    func thread(of record: MessageRecord) -> Chat.Thread? {
        switch record.peer {
        case .user(let user): thread(of: user)
        case .address(let address): .direct(address)
        case .group(let id): .group(device.conversations.root(of: id))
        }
    }

    func peers(of thread: Chat.Thread) -> [Peer] {
        switch thread {
        case .direct(let address):
            device.contacts.everHad(address).filter { device.contacts[$0]?.standing != .claiming }.map { .user($0) } + [.address(address)]
        case .stranger(let user): [.user(user)]
        case .group(let id): device.conversations.thread(of: id).map { .group($0) }
        }
    }

    func conversations(of thread: Chat.Thread) -> [Conversation] {
        switch thread {
        case .group(let id):
            // The one that goes on first.
            device.conversations.thread(of: id).compactMap { device.conversations[$0] }.sorted { one, _ in
                one.id == device.conversations.current(of: id)
            }
        case .stranger, .direct:
            peers(of: thread).flatMap { peer -> [Conversation] in
                if case .user(let user) = peer { device.conversations.direct(with: user) } else { [] }
            }
        }
    }

    /// Whose presence is to be seen.
    var chatContacts: [Address] {
        device.contacts.all.filter { $0.presenceToken != nil && $0.standing == .pinned && !$0.isBlocked }.compactMap(\.address)
    }

    private func thread(of item: OutboxItem) -> Chat.Thread {
        switch item.target {
        case .address(let address): .direct(address)
        case .group(let id): .group(device.conversations.root(of: id))
        }
    }

    // MARK: The list

    func start(_ chat: Chat) throws {
        chat.hasStarted = true
        (chat.rows, chat.members, chat.opened) = ([:], [:], [])
        if let address = device.account.address { chat.reply(.me("\(address)")) }
        tellConnection(to: chat.job)
        chat.alarmed = Set(try store.alarms().map(\.key.conversation))
        var threads = Set(device.conversations.all.compactMap { thread(of: $0) }).union(chat.begun)
        threads.formUnion(device.outbox.waiting.map { thread(of: $0) })
        chat.claimed = Set(device.contacts.all.filter { $0.standing == .claiming }.compactMap(\.address))
        var rows: [(ChatRow, Chat.Thread, newest: Int64)] = []
        let unread = try store.unshownCounts()
        for thread in threads {
            if let row = row(thread, unread, in: chat) { rows.append((row, thread, try store.newest(of: peers(of: thread)))) }
        }
        chat.reply(.listing)
        for (row, thread, _) in rows.sorted(by: { ($1.newest, $0.0.title, $0.0.thread) < ($0.newest, $1.0.title, $1.0.thread) }) {
            tell(row, of: thread, to: chat)
        }
        chat.reply(.listed)
        for chat in sortedChats { for thread in chat.typists.keys { tellTypists(in: thread, chat) } }
        // The home tells everything once more.
        (presenceWanted, chat.job.presences) = ([], [:])
        watchPresence()
    }

    func tellConnection(to job: Job) {
        guard !device.isLive else { return job.reply(.chat(.connection(nil))) }
        job.presences = [:]
        let reason = lastFailure.map { "\($0.explanation.what) \($0.explanation.why)" }
        job.reply(.chat(.connection(reason ?? "connecting to \(device.account.endpoint)")))
    }

    private func tell(_ row: ChatRow, of thread: Chat.Thread, to chat: Chat) {
        var told = row
        if let known = chat.rows[thread] {
            guard known != row else { return }
            if known.members == row.members { told.members = nil }
        }
        chat.rows[thread] = row
        chat.reply(.row(told))
    }

    /// Tells those rows that changed.
    func refresh(_ threads: Set<Chat.Thread>, in chat: Chat) throws {
        guard chat.hasStarted, !threads.isEmpty else { return }
        let unread = try store.unshownCounts()
        for thread in threads.sorted(by: { $0.id < $1.id }) {
            if let row = row(thread, unread, in: chat) {
                tell(row, of: thread, to: chat)
            } else if chat.rows.removeValue(forKey: thread) != nil {
                chat.reply(.removed(thread.id))
            }
        }
    }

    /// Something was shown, here or by another command.
    func refreshChats() {
        do { for chat in sortedChats { try refresh(Set(chat.rows.filter { $0.value.unread > 0 }.keys), in: chat) } } catch {
            if let error = error as? StoreError { fail(error) }
        }
    }

    private func row(_ thread: Chat.Thread, _ unread: [[UInt8]: Int], in chat: Chat) -> ChatRow? {
        let all = conversations(of: thread)
        let hasAlarm = all.contains { $0.standing == .broken || chat.alarmed.contains($0.id) }
        let count = peers(of: thread).reduce(0) { $0 + (unread[store.hash($1)] ?? 0) }
        let isRequest = all.contains(where: \.isRequest)
        switch thread {
        case .group(let id):
            // One that has taken another's place is in that one's thread.
            guard let one = all.first, one.standing != .declined, device.conversations.root(of: id) == id else { return nil }
            let members = chat.members[id] ?? self.members(of: one.id, for: chat)
            chat.members[id] = members
            return ChatRow(
                thread: thread.id, title: one.profile.name, group: id.hex, members: members, unread: count, isRequest: false,
                isVerified: false,
                hasAlarm: hasAlarm)
        case .direct(let address):
            let contact = device.contacts[address]
            let isWanted = chat.begun.contains(thread) || all.contains { $0.standing != .declined }
            guard contact?.isBlocked != true, isWanted || device.outbox.waiting.contains(where: { self.thread(of: $0) == thread })
            else { return nil }
            let isClaimed = device.contacts.claimant(of: address) != nil
            return ChatRow(
                thread: thread.id, title: "\(address)", group: nil, members: nil, unread: count,
                isRequest: isRequest && contact?.isAccepted != true, isVerified: contact?.isVerified == true && !isClaimed,
                hasAlarm: hasAlarm || isClaimed)
        case .stranger(let user):
            guard device.name(of: user) == .unlisted, all.contains(where: { $0.standing != .declined }) else { return nil }
            return ChatRow(
                thread: thread.id, title: display(user), group: nil, members: nil, unread: count, isRequest: isRequest, isVerified: false,
                hasAlarm: hasAlarm)
        }
    }

    /// The others in a group.
    private func members(of id: ConversationID, for chat: Chat) -> [String] {
        let users = Set(members(of: id).map(\.user)).subtracting([device.account.userID])
        for user in users where device.name(of: user) == .pending { chat.unnamed.insert(user) }
        return users.map { display($0) }.sorted()
    }

    // MARK: Pages

    func open(_ thread: Chat.Thread, _ chat: Chat) throws {
        chat.use(thread)
        let newest = try page(thread, before: .max)
        // What waits has its place at the end, whenever it was written.
        var (lines, hasOlder) = (alarms(in: thread, among: newest), newest.hasOlder)
        let waiting = device.outbox.waiting.filter { self.thread(of: $0) == thread }
        for item in waiting.suffix(Self.pageLines) {
            if let stored = try store.message(item.message) { lines.append(.message(historyLine(stored))) }
        }
        for one in conversations(of: thread) where one.hasHole {
            chat.holes.insert(one.id)
            lines.append(.hole(id: Self.holeID(one.id), count: 1))
        }
        if case .direct(let address) = thread, chat.claimed.contains(address) { lines.append(claim(address)) }
        let bytes = Self.cut(&lines)
        if bytes > 0 { hasOlder = true }
        let unread = try store.unshown(of: peers(of: thread), through: .max, limit: 1).first?.sequence
        noteNames(lines, chat)
        chat.reply(
            .page(thread.id, lines, hasOlder: hasOlder, readThrough: try unread.map { $0 - 1 } ?? store.newest(of: peers(of: thread))))
    }

    func tellOlder(than line: String, in thread: Chat.Thread, _ chat: Chat) throws {
        var before = line.hasPrefix("@") ? Int64(line.dropFirst()) : nil
        if let message = MessageID(hex: line) { before = try store.message(message)?.sequence }
        guard let before else { return chat.reply(.older(thread.id, [], hasOlder: false)) }
        let found = try page(thread, before: before)
        var lines = found.lines.map { ChatLine.message(historyLine($0)) }
        let cut = Self.cut(&lines)
        chat.reply(.older(thread.id, lines, hasOlder: found.hasOlder || cut > 0))
    }

    private func page(_ thread: Chat.Thread, before: Int64) throws -> (lines: [ProfileStore.Stored], hasOlder: Bool) {
        let found = try store.history(with: peers(of: thread), before: before, limit: Self.pageLines + 1)
        let lines = found.suffix(Self.pageLines).filter { !$0.record.isOnItsWay }
        return (lines, found.count > Self.pageLines)
    }

    /// Leaves the newest lines that fit one message; at least one.
    private static func cut(_ lines: inout [ChatLine]) -> Int {
        var (bytes, kept) = (0, 0)
        for line in lines.reversed() {
            bytes += line.bytes
            guard kept == 0 || bytes <= pageBytes else { break }
            kept += 1
        }
        let gone = lines.count - kept
        lines.removeFirst(gone)
        return gone
    }

    /// Puts each alarm behind what was there before it.
    private func alarms(in thread: Chat.Thread, among page: (lines: [ProfileStore.Stored], hasOlder: Bool)) -> [ChatLine] {
        let ids = Set(conversations(of: thread).map(\.id))
        var lines = page.lines.map { ($0.sequence, ChatLine.message(historyLine($0))) }
        guard !ids.isEmpty, let all = try? store.alarms() else { return lines.map(\.1) }
        for alarm in all where ids.contains(alarm.key.conversation) {
            let before = page.lines.last { stored in
                guard stored.record.conversation == alarm.key, let number = stored.record.status.number else { return false }
                return alarm.number.map { number < $0 } ?? true
            }
            if before == nil, page.hasOlder { continue }
            let line = chatLine(alarm, after: before?.sequence)
            let at = before.flatMap { one in lines.lastIndex { $0.0 <= one.sequence } }.map { $0 + 1 } ?? 0
            lines.insert((before?.sequence ?? 0, line), at: at)
        }
        return lines.map(\.1)
    }

    func chatLine(_ alarm: AlarmRecord, after sequence: Int64?) -> ChatLine {
        .alarm(
            id: "alarm:\(alarm.alarm.name):\(alarm.number?.value ?? 0):\(alarm.time.milliseconds)",
            text: "\(alarm.alarm.name): \(text(of: alarm))", time: alarm.time.milliseconds, after: sequence)
    }

    func claim(_ address: Address) -> ChatLine {
        .alarm(
            id: "claim", text: "The identity key of \(address) has changed. Compare safety numbers (/verify), then: /trust",
            time: Clock.wall.milliseconds, after: nil)
    }

    static func holeID(_ id: ConversationID) -> String { "hole:" + id.hex }

    /// Lines that are to be told again once their authors have names.
    func noteNames(_ lines: [ChatLine], _ chat: Chat) {
        let isNamed = lines.allSatisfy { line in
            if case .message(let message) = line { !message.peer.hasPrefix("unknown:") } else { true }
        }
        guard !isNamed else { return }
        for contact in device.contacts.all where contact.address == nil { chat.unnamed.insert(contact.user) }
    }
}

extension ChatLine {
    fileprivate var bytes: Int {
        guard case .message(let line) = self else { return 256 }
        return switch line.kind {
        case .text(let text): text.utf8.count + 512
        case .undecryptable: 512
        case .membership(let change): 512 + 64 * change.who.count
        }
    }
}

extension MessageRecord {
    /// A message of ours that has no number yet and may get one.
    var isOnItsWay: Bool { isOutgoing && status.number == nil && (status.state == .queued || status.state == .sent) }
}
