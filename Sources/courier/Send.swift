internal import ArgumentParser
internal import Client
internal import Cryptography
internal import Foundation
internal import Vocabulary

struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends a text.",
        discussion: """
            Examples:
              courier send bob@tower 'Hello, Bob'
              courier send 'the team' 'Hello, all'
              courier send bob@tower - < letter.txt
              courier send bob@tower --wait delivered --timeout 1m --json -- '-: a text that begins with a dash'

            Each state is shown with the message's id; see who has it with: courier receipts ID
            A message goes into the outbox first and from there to the node, again and again with the same bytes, until its fate is known.
            Exit 75: it is kept and goes out with the next command. Exit 21: it is under way, but did not get as far as --wait in time.
            """)

    enum Goal: String, ExpressibleByArgument, CaseIterable { case sent, accepted, delivered, read }

    @Argument(help: "Whom to write to: an address like bob@tower; or a group's name, its id, or the first six or more digits of it.")
    var target: String
    @Argument(help: "What to write; - reads standard input.") var text: String
    @Option(
        help:
            "How far the message must have come: sent (on the node's disk), accepted (numbered), delivered (on a device of the recipient), read (shown there); in a group the last two mean: all members."
    )
    var wait = Goal.accepted
    // Longer than a device waits for what its conversation lacks (12 s) before it comes back in and sends.
    @Option(help: "How long to wait for that.") var timeout = Span(.seconds(15))
    @Flag(help: "One JSON object a line, for each state in order.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        var random = SystemRandom()
        let id = MessageID.random(using: &random).hex
        let text = try body()
        var (last, failure): (StateLine?, ClientError?) = (nil, nil)
        let request = Request.send(message: id, target: target, text: text)
        do {
            try await options.courier().perform(request, timeout: timeout.duration) { event, _ in
                switch event {
                case .reply(.state(let line)):
                    if line.state != last?.state, line.state != "queued" { show(line) }
                    last = line
                    if rank(line.state) >= rank(wait.rawValue) { return true }
                    failure = line.failure
                    return failure != nil
                case .reply(.refused(let error)):
                    failure = error
                    return true
                case .reply(.warning(let text)): Output.complain(text)
                case .reply(.late(let error)): Output.complain(error.explanation.description)
                case .reply(.down(let error)):
                    // Under way already: the owner comes back by itself while we wait.
                    guard let last, rank(last.state) == 0 else { return false }
                    failure = kept(last, why: error.what + " " + error.why)
                    return true
                case .reply, .restarted: break
                case .timedOut, .interrupted:
                    failure = overdue(last)
                    return true
                }
                return false
            }
        } catch { failure = error }
        if let failure {
            if failure.code == .kept { show(.queued(id, reason: last?.reason ?? failure.why)) }
            throw Output.failed(failure)
        }
    }

    private func rank(_ state: String) -> Int {
        switch state {
        case "sent": 1
        case "accepted": 2
        case "delivered": 3
        case "read": 4
        default: 0
        }
    }

    private func show(_ line: StateLine) {
        let reason = line.reason.map { reason in line.code.map { "\($0): \(reason)" } ?? reason }
        if json {
            Output.json([
                ("type", .string("state")), ("id", .string(line.id)), ("state", .string(line.state)), ("number", .optional(line.number)),
                ("reason", .optional(reason)), ("ms", line.elapsed.map { .milliseconds($0) } ?? .null),
            ])
        } else if line.state != "failed" {
            Output.line(line.state + (line.number.map { " (number \($0))" } ?? "") + " " + line.id)
        }
    }

    private func kept(_ line: StateLine?, why: String) -> ClientError {
        ClientError(
            .kept, what: "The message is kept in the outbox.", why: why,
            remedy: "It goes out with the next courier command that reaches the node, or with: courier receive --follow")
    }

    private func overdue(_ line: StateLine?) -> ClientError {
        guard let line else {
            return ClientError(
                .unavailable, what: "It is not known whether the message is kept.",
                why: target.contains("@")
                    ? "The --timeout was over before the profile had answered."
                    : "Nobody has said so in time: the group is still looked for.",
                remedy: "Look with: courier outbox, courier history")
        }
        guard rank(line.state) > 0 else { return kept(line, why: line.reason ?? "The node has not confirmed it yet.") }
        return ClientError(
            .notReached, what: "The message is \(line.state), not yet \(wait.rawValue).", why: "That took longer than the --timeout.",
            remedy: "Nothing needs to be done; see how it goes on with: courier receipts \(line.id)")
    }

    private func body() throws -> String {
        guard text == "-" else { return text }
        var bytes: [UInt8] = []
        while bytes.count <= Limits.textBytesMax, let part = try? FileHandle.standardInput.read(upToCount: 64 * 1024), !part.isEmpty {
            bytes += part
        }
        guard bytes.count <= Limits.textBytesMax + 1 else {
            throw Output.failed(
                ClientError(
                    .data, what: "The message is too long.", why: "A text has at most \(Limits.textBytesMax) bytes.",
                    remedy: "Send it in parts."))
        }
        if bytes.last == 10 { bytes.removeLast() }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Output.failed(
                ClientError(
                    .data, what: "Nothing was sent.", why: "Standard input is not UTF-8 text.",
                    remedy: "Convert it, for example with iconv."))
        }
        return text
    }
}
