/// Judges the members' own histories of one group: all agree on what stands at each number, nobody misses or sees what is not theirs.
///
/// When who was in is told by the histories' own lines of membership, which must agree as well.
enum GroupHistoryChecker {
    /// A line of a member's history.
    struct Line: Equatable, Sendable {
        enum What: Hashable, Sendable {
            case text(String, from: String)
            /// `added`, `removed` or `left`.
            case change(String, who: [String])
            /// The reader came in; it says nothing of others.
            case joined
        }

        let number: Int
        let what: What
    }

    struct Run: Sendable {
        /// Who made the group, and whom with it: in from the first number on that anybody has.
        var founder: String
        /// The author of each text that was handed to a command.
        var written: [String: String] = [:]
        /// Texts that a command reported as accepted, or kept in the outbox.
        var promised: Set<String> = []
        var histories: [String: [Line]] = [:]
    }

    enum Violation: Equatable, Sendable {
        case lost(String)
        case duplicated(String, at: String)
        case outOfOrder(Int, at: String)
        case phantom(String, at: String)
        /// Two members show different things at one number.
        case fork(Int, at: String)
        /// Shown to somebody who was not in.
        case leaked(String, at: String)
        /// Not shown to somebody who was in.
        case missed(String, at: String)
    }

    static func check(_ run: Run) -> [Violation] {
        var violations: [Violation] = []
        var places: [Int: Set<Line.What>] = [:]
        var texts: [(number: Int, text: String)] = []
        var found: Set<String> = []
        var changes: [Int: [(change: String, who: [String])]] = [:]
        let members = run.histories.sorted { $0.key < $1.key }
        for (reader, lines) in members {
            var (last, seen): (Int, Set<String>) = (0, [])
            for line in lines {
                if line.number < last { violations.append(.outOfOrder(line.number, at: reader)) }
                last = max(last, line.number)
                switch line.what {
                case .joined: continue
                case .change(let change, let who):
                    if places[line.number, default: []].insert(line.what).inserted {
                        changes[line.number, default: []].append((change, who))
                    }
                case .text(let text, let author):
                    if run.written[text] != author { violations.append(.phantom(text, at: reader)) }
                    if !seen.insert(text).inserted { violations.append(.duplicated(text, at: reader)) }
                    if let known = places[line.number], !known.contains(line.what) { violations.append(.fork(line.number, at: reader)) }
                    if places[line.number, default: []].insert(line.what).inserted { texts.append((line.number, text)) }
                    found.insert(text)
                }
            }
        }
        violations += run.promised.subtracting(found).sorted().map { .lost($0) }
        for (reader, lines) in members {
            let shown = Set(lines.compactMap { if case .text(let text, _) = $0.what { text } else { nil } })
            let stays = stays(of: reader, in: changes, isFounder: reader == run.founder)
            for (number, text) in texts.sorted(by: { $0.number < $1.number }) {
                let isIn = stays.contains { $0.contains(number) }
                if isIn, !shown.contains(text) { violations.append(.missed(text, at: reader)) }
                if !isIn, shown.contains(text) { violations.append(.leaked(text, at: reader)) }
            }
        }
        return violations
    }

    /// From being added to being removed, again and again.
    private static func stays(of user: String, in changes: [Int: [(change: String, who: [String])]], isFounder: Bool) -> [ClosedRange<Int>]
    {
        var (stays, since): ([ClosedRange<Int>], Int?) = ([], isFounder ? 0 : nil)
        for (number, all) in changes.sorted(by: { $0.key < $1.key }) {
            for one in all where one.who.contains(user) {
                if one.change == "added" {
                    since = since ?? number
                } else if let start = since {
                    stays.append(start...number)
                    since = nil
                }
            }
        }
        if let since { stays.append(since...Int.max - 1) }
        return stays
    }
}

extension GroupHistoryChecker.Line {
    /// Of `courier history GROUP --json`.
    init?(_ line: JSONLine, reader: String) {
        guard let number = line.number("number") else { return nil }
        if let text = line.text("text") {
            self.init(number: number, what: .text(text, from: line.text("direction") == "out" ? reader : line.text("from") ?? "?"))
        } else if let change = line.text("change") {
            switch change {
            case "added", "removed", "left": self.init(number: number, what: .change(change, who: line.list("who").sorted()))
            case "joined": self.init(number: number, what: .joined)
            default: return nil
            }
        } else {
            return nil
        }
    }
}
