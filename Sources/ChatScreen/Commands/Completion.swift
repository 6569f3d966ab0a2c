/// What Tab makes of a command that is being typed.
struct Completion {
    /// Known addresses, sorted.
    let addresses: [String]

    enum Result: Hashable {
        case none
        /// The text before the cursor, completed as far as it is certain.
        case text(String)
        /// It could go on in several ways.
        case choices(text: String, [String])
    }

    func complete(_ before: String) -> Result {
        let start = before.lastIndex { $0.isWhitespace }.map { before.index(after: $0) } ?? before.startIndex
        let (head, word) = (String(before[..<start]), String(before[start...]))
        if head.isEmpty {
            return choose(CommandName.allCases.map { "/" + $0.rawValue }.filter { $0.hasPrefix(word) }, head)
        }
        let command = head.dropFirst().prefix { !$0.isWhitespace }
        guard let name = CommandName(rawValue: String(command)) else { return .none }
        if name == .role, CommandParser.words(head).count == 2 {
            return choose(ChatCommand.Role.allCases.map(\.rawValue).filter { $0.hasPrefix(word) }, head)
        }
        guard name.takesAddresses else { return .none }
        return choose(addresses.filter { $0.hasPrefix(word) }, head)
    }

    private func choose(_ found: [String], _ head: String) -> Result {
        guard let first = found.first else { return .none }
        guard found.count > 1 else { return .text(head + first + " ") }
        let common = found.reduce(first) { known, next in
            String(zip(known, next).prefix { $0.0 == $0.1 }.map(\.0))
        }
        return .choices(text: head + common, found)
    }
}
