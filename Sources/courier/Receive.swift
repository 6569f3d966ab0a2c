internal import ArgumentParser
internal import Client
internal import Foundation
internal import Vocabulary

struct Receive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows new messages, each one once.",
        discussion: """
            Examples:
              courier receive
              courier receive --follow
              courier receive --follow --count 3 --timeout 1m --json

            Without --follow: what is waiting, then exit 0. Exit 69: the node cannot be reached; what the profile held already was shown.
            Exit 21: with --follow and --count, if fewer came before the --timeout.
            """)

    @Flag(help: "Go on showing messages as they come, until SIGINT or SIGTERM.") var follow = false
    @Option(help: "Stop after this many.") var count: Int?
    @Option(help: "Stop after this long.") var timeout: Span?
    @Flag(help: "One JSON object a line.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        var failure: ClientError?
        // A page is written at once and then reported as shown: killed in between, and only then, it is shown again.
        var (page, lines): ([Int64], [String]) = ([], [])
        var (shown, wasDown) = (0, false)
        // Handed over again by a new owner, because the old one was gone before it could store that they were shown.
        var written: Set<Int64> = []
        func showPage(_ session: Courier.Session) {
            guard !page.isEmpty else { return }
            if !lines.isEmpty { Output.line(lines.joined(separator: "\n")) }
            if written.count > 4096 { written = [] }
            written.formUnion(page)
            session.shown(page)
            (page, lines) = ([], [])
        }
        if let count, count < 1 { throw ValidationError("--count must be 1 or more.") }
        do {
            try await options.courier().perform(.receive(follow: follow), timeout: timeout?.duration) { event, session in
                switch event {
                case .reply(.message(let line)):
                    page.append(line.sequence)
                    guard !written.contains(line.sequence) else { return false }
                    lines.append(text(of: line))
                    shown += 1
                    if shown == count {
                        showPage(session)
                        return true
                    }
                case .reply(.page): showPage(session)
                case .reply(.refused(let error)):
                    failure = error
                    return true
                case .reply(.down(let error)):
                    if !follow {
                        failure = error
                        return true
                    }
                    if !wasDown { Output.complain("\(error.what) \(error.why) Trying again until it works.") }
                    wasDown = true
                case .reply(.up):
                    if wasDown { Output.complain("The node is back.") }
                    wasDown = false
                case .reply(.warning(let text)): Output.complain(Printable.text(text))
                case .reply: break
                case .timedOut:
                    if follow, let count, shown < count {
                        failure = ClientError(
                            .notReached, what: "Only \(shown) of \(count) messages came.", why: "The --timeout is over.",
                            remedy: "Run it again: what comes later is shown then.")
                    }
                    showPage(session)
                    return true
                case .restarted:
                    shown -= lines.count
                    (page, lines) = ([], [])
                case .interrupted:
                    showPage(session)
                    return true
                }
                return false
            }
        } catch { failure = error }
        if let failure { throw Output.failed(failure) }
    }

    private func text(of line: MessageLine) -> String {
        if json {
            var fields: [(String, JSON)] = [
                ("type", .string(line.text == nil ? "undecryptable" : "message")), ("id", .string(line.id)),
                ("conversation", .optional(line.conversation)), ("from", .string(line.peer)), ("number", .optional(line.number)),
                ("sent", .string(Format.time(line.sent))),
            ]
            if let text = line.text { fields.append(("text", .string(text))) } else { fields.append(("reason", .optional(line.problem))) }
            return Output.text(fields + [("verified", .bool(line.isVerified))])
        }
        return Lines.message(line)
    }
}

enum Lines {
    /// `2026-11-23 22:38 bob@tower: text`; further lines of a text are indented.
    static func message(_ line: MessageLine) -> String {
        let time = Format.time(line.sent).prefix(16).replacingOccurrences(of: "T", with: " ")
        let who = line.isOutgoing ? "to \(line.peer)" : line.peer + (line.isVerified ? " (verified)" : "")
        let text = line.text.map { Printable.text($0).replacingOccurrences(of: "\n", with: "\n    ") }
        let state = line.state.map { " [\($0)\(line.reason.map { ": \($0)" } ?? "")]" } ?? ""
        return "\(time) \(who): \(text ?? "(a message that could not be decrypted: \(line.problem ?? "?"))")\(state)"
    }
}
