internal import Vocabulary

/// A line that begins with `/`, taken apart.
struct CommandParser {
    enum Parsed: Hashable {
        case command(ChatCommand)
        case help
        case quit
    }

    /// Where the command is given.
    let conversation: ConversationRow?
    /// Ids of our own lines in it, the newest last.
    let own: [String]

    func parse(_ line: String) throws(CommandError) -> Parsed {
        let words = Self.words(line.dropFirst())
        guard let word = words.first, let name = try Self.name(word) else {
            throw CommandError("There is no command /\(words.first ?? ""). /help shows them all.")
        }
        let arguments = Array(words.dropFirst())
        if name.needsConversation, conversation == nil { throw CommandError("/\(name.rawValue) is for a conversation; none is open.") }
        if name.needsGroup, conversation?.isGroup != true {
            throw CommandError("/\(name.rawValue) is for groups. /group NAME MEMBER... creates one.")
        }
        switch name {
        case .help: return .help
        case .quit: return .quit
        case .leave: return .command(.leave)
        case .reset: return .command(.reset)
        case .info: return .command(.info)
        case .alarms: return .command(.alarms)
        case .accept: return .command(try request(.accept))
        case .decline: return .command(try request(.decline))
        case .open:
            guard arguments.count == 1 else { throw usage(name) }
            return .command(.open(try address(arguments[0])))
        case .group:
            guard let title = arguments.first else { throw usage(name) }
            return .command(.createGroup(name: title, members: try addresses(arguments.dropFirst())))
        case .add:
            guard !arguments.isEmpty else { throw usage(name) }
            return .command(.add(try addresses(arguments[...])))
        case .remove:
            guard !arguments.isEmpty else { throw usage(name) }
            return .command(.remove(try addresses(arguments[...])))
        case .rename:
            guard !arguments.isEmpty else { throw usage(name) }
            return .command(.rename(arguments.joined(separator: " ")))
        case .role:
            guard arguments.count == 2, let role = ChatCommand.Role(rawValue: arguments[1]) else { throw usage(name) }
            return .command(.setRole(try address(arguments[0]), role))
        case .verify:
            let named = arguments.first?.contains("@") == true
            let whom = try contact(named ? arguments.first : nil, name)
            let code = arguments.dropFirst(named ? 1 : 0).joined(separator: " ")
            return .command(.verify(whom, code: code.isEmpty ? nil : code))
        case .trust: return .command(.trust(try contact(arguments.first, name)))
        case .block: return .command(.block(try contact(arguments.first, name)))
        case .unblock: return .command(.unblock(try contact(arguments.first, name)))
        case .receipts:
            guard let back = arguments.isEmpty ? 1 : Int(arguments[0]), back >= 1 else { throw usage(name) }
            guard back <= own.count else { throw CommandError("There are only \(own.count) messages of yours here.") }
            return .command(.receipts(line: own[own.count - back]))
        }
    }

    /// - Returns: the command of that name, or the only one that begins so; nil if there is none.
    private static func name(_ word: String) throws(CommandError) -> CommandName? {
        if let name = CommandName(rawValue: word) { return name }
        let candidates = CommandName.allCases.filter { !word.isEmpty && $0.rawValue.hasPrefix(word) }
        guard candidates.count <= 1 else {
            throw CommandError("/\(word) could be \(candidates.map { "/" + $0.rawValue }.joined(separator: " or ")).")
        }
        return candidates.first
    }

    private func usage(_ name: CommandName) -> CommandError { CommandError("Write it so: \(name.usage)") }

    private func request(_ command: ChatCommand) throws(CommandError) -> ChatCommand {
        guard conversation?.isRequest == true else { throw CommandError("This conversation is no request: there is nothing to decide.") }
        return command
    }

    private func contact(_ word: String?, _ name: CommandName) throws(CommandError) -> Address? {
        if let word { return try address(word) }
        guard let conversation, !conversation.isGroup else { throw CommandError("Say whom: /\(name.rawValue) ADDRESS") }
        return nil
    }

    private func address(_ word: String) throws(CommandError) -> Address {
        do { return try Address(word) } catch {
            throw CommandError("\(error.explanation.what) \(error.explanation.remedy)")
        }
    }

    private func addresses(_ words: ArraySlice<String>) throws(CommandError) -> [Address] {
        var all: [Address] = []
        for word in words { all.append(try address(word)) }
        return all
    }

    /// Words between blanks; what is in double quotes is one.
    static func words(_ line: some StringProtocol) -> [String] {
        var (words, word, isQuoted, isOpen) = ([String](), "", false, false)
        for character in line {
            if character == "\"" {
                isQuoted.toggle()
                isOpen = true
            } else if character.isWhitespace, !isQuoted {
                if isOpen { words.append(word) }
                (word, isOpen) = ("", false)
            } else {
                word.append(character)
                isOpen = true
            }
        }
        return isOpen ? words + [word] : words
    }
}
