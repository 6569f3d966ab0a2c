internal import ClientCore
internal import NIOCore
internal import Vocabulary

/// What one full-screen client was told, so that it is told what changes.
final class Chat {
    /// Everything with one address, whatever keys and MLS groups it had; a user without an address; or a group.
    enum Thread: Hashable {
        case direct(Address)
        case stranger(UserID)
        case group(ConversationID)

        var id: String {
            switch self {
            case .direct(let address): "\(address)"
            case .stranger(let user): "user:" + user.hex
            case .group(let id): "group:" + id.hex
            }
        }

        init?(_ id: String) {
            if id.hasPrefix("user:") {
                guard let user = UserID(hex: id.dropFirst(5)) else { return nil }
                self = .stranger(user)
            } else if id.hasPrefix("group:") {
                guard let group = ConversationID(hex: id.dropFirst(6)) else { return nil }
                self = .group(group)
            } else {
                guard let address = try? Address(id) else { return nil }
                self = .direct(address)
            }
        }
    }

    /// Threads whose lines are told: as many as a screen keeps.
    static let openedMax = 8
    static let begunMax = 1_000
    /// Typing is said again while it lasts, and believed for this long.
    static let typingSaidEvery = TimeAmount.seconds(4)
    static let typingBelievedFor = TimeAmount.seconds(10)

    let job: Owner.Job
    /// It has asked for everything.
    var hasStarted = false
    /// The last used one at the end.
    var opened: [Thread] = []
    var begun: Set<Thread> = []
    var rows: [Thread: ChatRow] = [:]
    var members: [ConversationID: [String]] = [:]
    var alarmed: Set<ConversationID> = []
    /// Whose name was missing when it was told.
    var unnamed: Set<UserID> = []
    /// Addresses that another key claims.
    var claimed: Set<Address> = []
    var holes: Set<ConversationID> = []
    var sent: Set<MessageID> = []
    var typists: [Thread: [UserID: Scheduled<Void>]] = [:]
    /// Where we type, and what says so again.
    var typing: (thread: Thread, again: RepeatedTask)?
    /// Requests of its own under way.
    var asked: [UInt64: Owner.JobID] = [:]

    init(_ job: Owner.Job) { self.job = job }

    func reply(_ reply: ChatReply) { job.reply(.chat(reply)) }

    func use(_ thread: Thread) {
        opened.removeAll { $0 == thread }
        opened.append(thread)
        if opened.count > Self.openedMax { opened.removeFirst() }
    }
}
