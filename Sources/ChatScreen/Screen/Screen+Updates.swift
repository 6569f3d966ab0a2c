/// What the client tells.
extension Screen {
    mutating func told(_ update: ChatUpdate) -> [ScreenAction] {
        switch update {
        case .me(let address): me = address
        case .offline(let reason): offline = reason
        case .conversations(let rows):
            conversations = Array(rows.prefix(ScreenLimits.conversationsMax))
            isListed = true
            return settle()
        case .conversation(let row):
            if let at = conversations.firstIndex(where: { $0.id == row.id }) {
                conversations[at] = row
            } else {
                conversations.insert(row, at: 0)
                if conversations.count > ScreenLimits.conversationsMax { conversations.removeLast() }
            }
            return settle()
        case .conversationRemoved(let id):
            conversations.removeAll { $0.id == id }
            return settle()
        case .select(let id): return open(id)
        case .thread(let id, let lines, let hasOlder, let through):
            change(id) { $0.replace(lines, hasOlder: hasOlder, readThrough: through) }
            if timelines[id] != nil, let through { readThrough[id] = max(through, readThrough[id] ?? 0) }
        case .older(let id, let lines, let hasOlder): change(id) { $0.prepend(lines, hasOlder: hasOlder) }
        case .line(let id, let line):
            change(id) { timeline in
                timeline.put(line)
                if case .sent(_, .queued) = line.kind { timeline.answered() }
            }
        case .lineRemoved(let id, let line): change(id) { $0.remove(line) }
        case .state(let id, let line, let state): change(id) { $0.setState(state, of: line) }
        case .typing(let id, let who): changeRow(id) { $0.typing = who }
        case .presence(let id, let presence): changeRow(id) { $0.presence = presence }
        case .notice(let text): notice = Notice(text: text, isProblem: false)
        case .problem(let text): notice = Notice(text: text, isProblem: true)
        case .panel(let title, let lines): panel = Panel(title: title, lines: Array(lines.prefix(ScreenLimits.panelLinesMax)))
        }
        return []
    }

    private mutating func change(_ id: String, _ body: (inout Timeline) -> Void) {
        guard var timeline = timelines.removeValue(forKey: id) else { return }
        body(&timeline)
        timelines[id] = timeline
    }

    private mutating func changeRow(_ id: String, _ body: (inout ConversationRow) -> Void) {
        guard let at = conversations.firstIndex(where: { $0.id == id }) else { return }
        body(&conversations[at])
    }

    /// Something is shown whenever there is something: the conversation that was, else the first that is no request.
    private mutating func settle() -> [ScreenAction] {
        let ids = Set(conversations.map(\.id))
        for id in recent where !ids.contains(id) { forget(id) }
        drafts = drafts.filter { ids.contains($0.key) }
        if let current, ids.contains(current) { return [] }
        let actions = stopTyping()
        // What was typed for a conversation that is gone is for no other.
        if current != nil { editor.clear() }
        current = nil
        guard let first = conversations.first(where: { !$0.isRequest }) ?? conversations.first else { return actions }
        // A command may have been begun before there was anything to show.
        let command = editor.text.hasPrefix("/") ? editor : nil
        defer { if let command { editor = command } }
        return actions + open(first.id)
    }
}
