internal import Vocabulary

/// What keys do.
extension Screen {
    mutating func pressed(_ event: KeyEvent) -> [ScreenAction] {
        let actions = act(event)
        return actions.contains(.redraw) ? actions : actions + [.draw]
    }

    private mutating func act(_ event: KeyEvent) -> [ScreenAction] {
        switch (event.key, event.hasAlt || event.hasControl) {
        case (.text(let text), false), (.paste(let text), _): return type(text)
        case (.text(let text), true): return alt(text)
        case (.control(let letter), _): return control(letter)
        case (.enter, true): return type("\n")
        case (.enter, false): return enter()
        case (.tab, _): return event.hasShift ? switchConversation(by: -1) : tab()
        case (.backspace, true): return edit { $0.killWordBefore() }
        case (.backspace, false): return edit { $0.backspace() }
        case (.delete, true): return edit { $0.killWordAfter() }
        case (.delete, false): return edit { $0.delete() }
        case (.escape, _): return escape()
        case (.up, true), (.left, true): return event.hasAlt ? switchConversation(by: -1) : arrow(event.key, byWord: true)
        case (.down, true), (.right, true): return event.hasAlt ? switchConversation(by: 1) : arrow(event.key, byWord: true)
        case (.up, false), (.down, false), (.left, false), (.right, false): return arrow(event.key, byWord: false)
        case (.home, false): editor.home()
        case (.end, false): editor.end()
        case (.home, true): return scroll(up: true, rows: .max)
        case (.end, true): return scroll(up: false, rows: .max)
        case (.pageUp, _): return scroll(up: true, rows: pageRows)
        case (.pageDown, _): return scroll(up: false, rows: pageRows)
        case (.other, _): break
        }
        return []
    }

    // MARK: Editing

    private mutating func type(_ text: String) -> [ScreenAction] {
        history.leave()
        if !editor.insert(text) {
            notice = Notice(text: "That would be longer than a message may be (\(ScreenLimits.inputBytesMax) bytes).", isProblem: true)
        }
        return tellTyping()
    }

    private mutating func edit(_ body: (inout LineEditor) -> Void) -> [ScreenAction] {
        body(&editor)
        history.leave()
        return tellTyping()
    }

    private mutating func arrow(_ key: Key, byWord: Bool) -> [ScreenAction] {
        switch key {
        case .left: byWord ? editor.wordLeft() : editor.left()
        case .right: byWord ? editor.wordRight() : editor.right()
        case .up where byWord || panel != nil: return scroll(up: true, rows: 1)
        case .down where byWord || panel != nil: return scroll(up: false, rows: 1)
        case .up: if let text = history.older(than: editor.text) { editor.set(text) }
        default: if let text = history.newer() { editor.set(text) }
        }
        return []
    }

    private mutating func alt(_ text: String) -> [ScreenAction] {
        switch text {
        case "b": editor.wordLeft()
        case "f": editor.wordRight()
        case "d": return edit { $0.killWordAfter() }
        default:
            guard let place = Int(text), (1...9).contains(place), place <= conversations.count else { return [] }
            return open(conversations[place - 1].id)
        }
        return []
    }

    private mutating func control(_ letter: Character) -> [ScreenAction] {
        switch letter {
        case "a": editor.home()
        case "e": editor.end()
        case "b": editor.left()
        case "f": editor.right()
        case "u": return edit { $0.killBefore() }
        case "k": return edit { $0.killAfter() }
        case "w": return edit { $0.killWordBefore() }
        case "y": return edit { _ = $0.yank() }
        case "n": return switchConversation(by: 1)
        case "p": return switchConversation(by: -1)
        case "l": return [.redraw]
        case "z": return stopTyping() + [.suspend]
        case "c":
            guard editor.isEmpty else { return edit { $0.clear() } }
            return stopTyping() + [.quit]
        case "d":
            guard editor.isEmpty else { return edit { $0.delete() } }
            return stopTyping() + [.quit]
        default: break
        }
        return []
    }

    private mutating func escape() -> [ScreenAction] {
        notice = nil
        if panel != nil {
            panel = nil
            return markRead()
        }
        return scroll(up: false, rows: .max)
    }

    // MARK: Lines

    private mutating func tab() -> [ScreenAction] {
        guard editor.before.hasPrefix("/") else { return switchConversation(by: 1) }
        let contacts = conversations.filter { !$0.isGroup }.map(\.title) + (row?.members ?? [])
        let completion = Completion(addresses: Set(contacts.filter { (try? Address($0)) != nil }).sorted())
        let after = editor.after
        switch completion.complete(editor.before) {
        case .none: notice = Notice(text: "Nothing known begins so.", isProblem: false)
        case .text(let text): editor.set(text, after: after)
        case .choices(let text, let found):
            editor.set(text, after: after)
            notice = Notice(text: found.prefix(20).joined(separator: "  "), isProblem: false)
        }
        return []
    }

    private mutating func enter() -> [ScreenAction] {
        let text = editor.text
        notice = nil
        guard !text.allSatisfy(\.isWhitespace) else {
            editor.clear()
            return stopTyping()
        }
        if text.hasPrefix("/"), !text.hasPrefix("//") { return command(text) }
        guard let row else { return complain("No conversation is open. /open ADDRESS begins one.") }
        guard !row.isRequest else { return complain("Decide first: /accept, /decline or /block.") }
        accepted(text)
        panel = nil
        return stopTyping() + [.ask(.send(text.hasPrefix("//") ? String(text.dropFirst()) : text, to: row.id))]
    }

    private mutating func command(_ line: String) -> [ScreenAction] {
        let own = timeline?.lines.filter(\.isOwn).map(\.id) ?? []
        do {
            switch try CommandParser(conversation: row, own: own).parse(line) {
            case .command(let command):
                accepted(line)
                return stopTyping() + [.ask(.command(command, in: row?.id))]
            case .help:
                accepted(line)
                panel = Panel(title: "Help", lines: Help.lines(marks))
                return []
            case .quit: return stopTyping() + [.quit]
            }
        } catch { return complain(error.text) }
    }

    /// The line stays as it is, to be mended.
    private mutating func complain(_ text: String) -> [ScreenAction] {
        notice = Notice(text: text, isProblem: true)
        return []
    }

    private mutating func accepted(_ line: String) {
        history.add(line)
        editor.clear()
    }
}
