internal import ChatScreen
internal import Client
internal import Cryptography
internal import Foundation
internal import Synchronization
internal import Vocabulary

/// Carries the screen's requests to the profile's owner, in this process or another, and what that tells to the screen.
///
/// When the owner goes away the request is made anew by `Courier`: then everything is asked for once more, and what was not confirmed to be
/// in the outbox is sent again under its id.
final class CourierChatBackend: ChatBackend {
    struct State {
        var inbox: ChatInbox?
        /// Who listens; nil between two owners.
        var session: Courier.Session?
        var hasStarted = false
        var isClosed = false
        /// The thread that is shown.
        var shown: String?
        /// Where and what, of messages that the owner has not told back; in their order.
        var unanswered: [(message: String, thread: String, text: String)] = []
        var typing: (thread: String, isOn: Bool)?
        /// Rows on their way in a listing.
        var listing: [ConversationRow]?
        var rows: [String: ConversationRow] = [:]
        var groups: [String: String] = [:]
        var commands: [UInt64: ChatCommandRun] = [:]
        var lastCommand: UInt64 = 0
        /// A thread to be shown once it is listed.
        var wanted: String?
    }

    private let state = Mutex(State())

    func begin(_ inbox: ChatInbox) {
        state.withLock {
            $0.inbox = inbox
            if $0.isClosed { inbox.close() }
        }
    }

    // MARK: What the screen wants

    func perform(_ request: ChatRequest) { state.withLock { $0.perform(request) } }

    // MARK: What the owner tells

    /// - Returns: false when nothing more will come.
    func hear(_ event: Event, _ session: Courier.Session) -> Bool {
        state.withLock { state in
            switch event {
            case .reply(.chat(.began)): state.began(session)
            case .reply(.chat(let reply)): state.hear(reply)
            case .reply(.warning(let text)): state.tell(.problem(text))
            case .reply(.refused): return false
            case .restarted: state.restarted()
            case .reply, .timedOut, .interrupted: break
            }
            return true
        }
    }

    /// Somebody has the profile and listens.
    var isReady: Bool { state.withLock { $0.session != nil } }

    /// The request is over: so is the chat.
    func close() {
        state.withLock {
            $0.isClosed = true
            $0.inbox?.close()
        }
    }
}

extension CourierChatBackend.State {
    func say(_ word: ChatWord) { session?.say(word) }
    func tell(_ update: ChatUpdate) { inbox?.send(update) }

    mutating func perform(_ request: ChatRequest) {
        switch request {
        case .start:
            hasStarted = true
            say(.start)
        case .open(let thread):
            shown = thread
            say(.open(thread))
        case .loadOlder(let thread, let before):
            say(.older(thread, before: before))
        case .send(let text, let thread):
            var random = SystemRandom()
            let message = MessageID.random(using: &random).hex
            unanswered.append((message, thread, text))
            say(.send(message: message, thread: thread, text: text))
        case .typing(let thread, let isOn):
            typing = isOn ? (thread, true) : nil
            say(.typing(thread, isOn))
        case .markRead(let thread, let number): say(.read(thread, through: Int64(clamping: number)))
        case .command(let command, let thread): run(command, in: thread)
        }
    }

    // MARK: Owners

    mutating func began(_ session: Courier.Session) {
        self.session = session
        guard hasStarted else { return }
        say(.start)
        if let shown {
            if rows[shown] != nil, (try? Address(shown)) != nil { say(.begin(shown)) }
            say(.open(shown))
        }
        for (message, thread, text) in unanswered { say(.send(message: message, thread: thread, text: text)) }
        if let typing { say(.typing(typing.thread, true)) }
    }

    mutating func restarted() {
        guard session != nil else { return }
        session = nil
        for run in commands.values where !run.isHarmless {
            tell(.problem("Another process had the profile and ended: look whether \(run.name) was done."))
        }
        commands = [:]
        (listing, wanted) = (nil, nil)
        forgetPresence()
        tell(.offline("the process that had the profile has ended"))
    }

    private mutating func forgetPresence() {
        for id in rows.keys {
            rows[id]?.presence = .unknown
            rows[id]?.typing = []
            tell(.presence(conversation: id, .unknown))
            tell(.typing(conversation: id, []))
        }
    }

    // MARK: Replies

    mutating func hear(_ reply: ChatReply) {
        switch reply {
        case .began: break
        case .me(let address): tell(.me(address))
        case .connection(let reason):
            if reason != nil { forgetPresence() }
            tell(.offline(reason))
        case .listing: listing = []
        case .row(let row): told(row)
        case .listed:
            let all = listing ?? []
            listing = nil
            let ids = Set(all.map(\.id))
            for id in rows.keys where !ids.contains(id) { rows[id] = nil }
            tell(.conversations(all))
            selectWanted()
        case .removed(let thread):
            rows[thread] = nil
            tell(.conversationRemoved(thread))
        case .page(let thread, let lines, let hasOlder, let readThrough):
            for line in lines { confirm(line) }
            let through = UInt64(clamping: max(0, readThrough))
            tell(.thread(conversation: thread, lines.map { ThreadLine($0) }, hasOlder: hasOlder, readThrough: through))
        case .older(let thread, let lines, let hasOlder):
            tell(.older(conversation: thread, lines.map { ThreadLine($0) }, hasOlder: hasOlder))
        case .line(let thread, let line):
            confirm(line)
            tell(.line(conversation: thread, ThreadLine(line)))
        case .lineRemoved(let thread, let line): tell(.lineRemoved(conversation: thread, line: line))
        case .state(let thread, let message, let state, let reason):
            tell(.state(conversation: thread, line: message, SendState(state, reason)))
        case .typing(let thread, let who):
            rows[thread]?.typing = who
            tell(.typing(conversation: thread, who))
        case .presence(let thread, let state):
            let presence = Presence(state)
            rows[thread]?.presence = presence
            tell(.presence(conversation: thread, presence))
        case .sendRefused(let message, let error):
            unanswered.removeAll { $0.message == message }
            tell(.problem(error.sentence))
        case .problem(let error):
            wanted = nil
            tell(.problem(error.sentence))
        case .answer(let number, let reply): answer(reply, to: number)
        }
    }

    /// The owner has it: it is not sent again.
    private mutating func confirm(_ line: ChatLine) {
        guard !unanswered.isEmpty, case .message(let message) = line, message.isOutgoing else { return }
        unanswered.removeAll { $0.message == message.id }
    }

    private mutating func told(_ row: ChatRow) {
        let known = rows[row.thread]
        let updated = ConversationRow(
            id: row.thread, title: row.title, isGroup: row.group != nil, members: row.members ?? known?.members ?? [], unread: row.unread,
            presence: known?.presence ?? .unknown, typing: known?.typing ?? [], isRequest: row.isRequest, isVerified: row.isVerified,
            hasAlarm: row.hasAlarm)
        rows[row.thread] = updated
        groups[row.thread] = row.group
        if listing != nil {
            listing?.append(updated)
        } else {
            tell(.conversation(updated))
            selectWanted()
        }
    }

    mutating func selectWanted() {
        guard let thread = wanted, rows[thread] != nil else { return }
        wanted = nil
        tell(.select(thread))
    }
}
