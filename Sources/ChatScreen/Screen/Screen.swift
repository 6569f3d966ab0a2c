/// The full-screen client without terminal and network: keys and updates go in, requests come out, and `render` says what to show.
///
/// It decides nothing about messages: it shows what it was told. All that it holds is bounded by `ScreenLimits`.
public struct Screen: Sendable {
    let shaper: TextShaper
    let marks: Marks

    var columns: Int
    var rows: Int
    var me = ""
    var offline: String?
    var conversations: [ConversationRow] = []
    /// The client has told which conversations there are.
    var isListed = false
    /// The conversation that is shown.
    var current: String?
    var timelines: [String: Timeline] = [:]
    /// Ids of `timelines`, the last used one at the end.
    var recent: [String] = []
    var editor = LineEditor()
    var history = InputHistory()
    /// Unfinished texts of other conversations.
    var drafts: [String: String] = [:]
    var notice: Notice?
    var panel: Panel?
    /// The conversation that was told that we are typing.
    var typingIn: String?
    /// What the client was told to be read, for each conversation with a timeline.
    var readThrough: [String: UInt64] = [:]

    struct Notice: Hashable, Sendable {
        let text: String
        let isProblem: Bool
    }

    /// An answer over the thread.
    struct Panel: Hashable, Sendable {
        let title: String
        let lines: [String]
        /// Rows above the upper edge.
        var scrolled = 0
    }

    /// - Parameter isUTF8: whether the locale's characters are UTF-8; otherwise all but ASCII is escaped.
    public init(columns: Int, rows: Int, isUTF8: Bool) {
        shaper = TextShaper(isUTF8: isUTF8)
        marks = Marks(isUTF8: isUTF8)
        (self.columns, self.rows) = (Self.fit(columns, ScreenLimits.columnsMax), Self.fit(rows, ScreenLimits.rowsMax))
    }

    public mutating func handle(_ input: ScreenInput) -> [ScreenAction] {
        switch input {
        case .key(let event): return pressed(event)
        case .told(let updates):
            var actions: [ScreenAction] = []
            for update in updates { actions += told(update) }
            return actions + markRead() + [.draw]
        case .idled: return stopTyping()
        case .resized(let columns, let rows):
            (self.columns, self.rows) = (Self.fit(columns, ScreenLimits.columnsMax), Self.fit(rows, ScreenLimits.rowsMax))
            return [.redraw]
        }
    }

    private static func fit(_ size: Int, _ max: Int) -> Int { Swift.max(1, Swift.min(size, max)) }

    // MARK: What is shown

    /// The id of the conversation that is shown.
    public var shownConversation: String? { current }

    var row: ConversationRow? { current.flatMap { id in conversations.first { $0.id == id } } }

    var timeline: Timeline? { current.flatMap { timelines[$0] } }

    /// Shows a conversation; what was typed for the one before stays with that.
    mutating func open(_ id: String) -> [ScreenAction] {
        guard id != current, conversations.contains(where: { $0.id == id }) else { return [] }
        var actions = stopTyping()
        keepDraft()
        current = id
        (panel, notice) = (nil, nil)
        editor.set(drafts.removeValue(forKey: id) ?? "")
        history.leave()
        touch(id)
        actions.append(.ask(.open(id)))
        return actions
    }

    private mutating func keepDraft() {
        guard let current, !editor.isEmpty, drafts.count < ScreenLimits.draftsMax else { return }
        drafts[current] = editor.text
    }

    /// Makes room for a timeline: the one that was not shown for the longest goes.
    private mutating func touch(_ id: String) {
        recent.removeAll { $0 == id }
        recent.append(id)
        if timelines[id] == nil { timelines[id] = Timeline() }
        while recent.count > ScreenLimits.threadsMax { forget(recent[0]) }
    }

    mutating func forget(_ id: String) {
        recent.removeAll { $0 == id }
        timelines[id] = nil
        readThrough[id] = nil
    }

    /// The conversation `step` places further down the list, around its ends.
    mutating func switchConversation(by step: Int) -> [ScreenAction] {
        guard !conversations.isEmpty else { return [] }
        let at = conversations.firstIndex { $0.id == current } ?? 0
        let next = (at + step % conversations.count + conversations.count) % conversations.count
        return open(conversations[next].id)
    }

    // MARK: What follows from what is shown

    /// Read is what the end of the thread shows, once a stranger's request is accepted.
    mutating func markRead() -> [ScreenAction] {
        guard let row, !row.isRequest, let timeline, timeline.view == .end, panel == nil, let newest = timeline.newest,
            newest > readThrough[row.id] ?? 0
        else { return [] }
        readThrough[row.id] = newest
        return [.ask(.markRead(row.id, through: newest))]
    }

    /// Others are told that we type while there is a text that is no command.
    mutating func tellTyping() -> [ScreenAction] {
        guard let row, !row.isRequest, !editor.isEmpty, !editor.text.hasPrefix("/") else { return stopTyping() }
        guard typingIn != row.id else { return [] }
        let actions = stopTyping()
        typingIn = row.id
        return actions + [.ask(.typing(row.id, true))]
    }

    mutating func stopTyping() -> [ScreenAction] {
        guard let id = typingIn else { return [] }
        typingIn = nil
        return [.ask(.typing(id, false))]
    }
}
