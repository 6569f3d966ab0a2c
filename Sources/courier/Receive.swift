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
            Exit 21: with --follow and --count, if fewer came before the --timeout. What strangers write is shown as a request until you accept
            them: courier requests. What is shown counts as read (courier settings set read-receipts off keeps that to yourself).

            With --json each line has a type: message, request (of a stranger), undecryptable, membership {group, change, who, by}, receipt
            {message, by, state}, presence, typing, hole, alarm {name, detail}. --count counts the first three.
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
        var strangers: Set<String> = []
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
            try await options.courier().perform(.receive(follow: follow, events: json), timeout: timeout?.duration) { event, session in
                switch event {
                case .reply(.message(let line)):
                    page.append(line.sequence)
                    guard !written.contains(line.sequence) else { return false }
                    lines.append(json ? Lines.json(line) : Lines.message(line))
                    if line.isRequest, !json, strangers.insert(line.peer).inserted { lines.append(Lines.remedy(line.peer)) }
                    guard line.counts else { return false }
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
                case .reply(.warning(let text)): Output.complain(text)
                case .reply(.late(let error)): Output.complain(error.explanation.description)
                case .reply(let reply): showEvent(reply)
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

    /// What is no message. For people only what they should know of: on standard error.
    private func showEvent(_ reply: Reply) {
        if json {
            for line in Events.json(reply) { Output.line(line) }
            return
        }
        switch reply {
        case .hole(let hole):
            Output.complain("waiting for \(hole.count) message\(hole.count == 1 ? "" : "s") in \(Printable.line(hole.place.title))")
        case .alarm(let alarm): Output.complain("alarm: " + Events.text(alarm))
        default: break
        }
    }
}

extension MessageLine {
    /// Written by somebody, rather than a change of who is in a group.
    var counts: Bool { if case .membership = kind { false } else { true } }
    var text: String? { if case .text(let text) = kind { text } else { nil } }
}
