internal import Foundation
internal import Glibc
internal import Synchronization
internal import Vocabulary

/// A node that joins through one that dies all the time, serves for a while and is expelled; then the next.
///
/// Unchecked: the thread has it until `end` has returned; what it found is locked.
final class MemberChurn: @unchecked Sendable {
    private struct State {
        var isOver = false
        var rounds = 0
        var complaints: [String] = []
        var expelled: [String] = []
    }

    private let federation: ProofFederation
    private let sponsor: ProofNode
    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)
    private let running: RunningProcesses

    init(_ federation: ProofFederation, through sponsor: ProofNode, running: RunningProcesses) {
        (self.federation, self.sponsor, self.running) = (federation, sponsor, running)
    }

    var rounds: Int { state.withLock { $0.rounds } }
    var complaints: [String] { state.withLock { $0.complaints } }
    private var isOver: Bool { state.withLock { $0.isOver } }

    func begin() {
        let thread = Thread { [self] in
            var number = 0
            while !isOver {
                number += 1
                round("guest-\(number)")
            }
            ended.signal()
        }
        thread.start()
    }

    /// Returns when the node of the round is expelled; there must be a sponsor that stays up.
    func end() {
        state.withLock { $0.isOver = true }
        ended.wait()
    }

    /// The same command again until it works: that is what the promise for commands cut short is.
    ///
    /// - Parameter done: what a repeat says of a command that had worked, its answer lost.
    private func insist(_ words: [String], or done: String? = nil, until deadline: Instant) -> String? {
        var last = ""
        while LoadClock.now < deadline {
            do { return try federation.say(words) } catch { last = "\(error)" }
            if let done, last.contains(done) { return last }
            usleep(20_000)
        }
        state.withLock { $0.complaints.append("\(words.prefix(2).joined(separator: " ")) never worked: \(last)") }
        return nil
    }

    private func round(_ name: String) {
        let deadline = LoadClock.now + .seconds(60)
        let data = "\(federation.folder)/\(name)"
        guard let ticket = insist(["federation", "invite", "--for", name, "--data", sponsor.data], until: deadline) else { return }
        let join = ["federation", "join", ticket, "--data", data, "--yes", "--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0"]
        guard insist(join, until: deadline) != nil else { return }
        do {
            let node = try ProofNode(name: name, data: data, folder: federation.folder, running: running)
            defer { try? node.crash() }
            try node.start()
            usleep(500_000)
            guard
                insist(
                    ["federation", "expel", name, "--reason", "proof", "--confirm", name, "--data", sponsor.data],
                    or: "was expelled already",
                    until: deadline)
                    != nil
            else { return }
            state.withLock {
                $0.rounds += 1
                $0.expelled.append(name)
            }
        } catch { state.withLock { $0.complaints.append("\(error)") } }
    }

    /// All nodes see the same members, and none of those who were expelled, once the last word on it has come to all.
    func judge(_ part: inout ProofPart) throws {
        let expelled = state.withLock { $0.expelled }
        let deadline = LoadClock.now + .seconds(10)
        for node in federation.nodes {
            func seen() throws -> [(name: String, state: String)] {
                let states = try federation.states(seenBy: node)
                return expelled.compactMap { name in states[name].flatMap { $0 == "expelled" ? nil : (name, $0) } }
            }
            var left = try seen()
            while !left.isEmpty, LoadClock.now < deadline {
                usleep(100_000)
                left = try seen()
            }
            for (name, state) in left { part.violate("\(node.name) sees \(name), who was expelled, as \(state)") }
        }
    }
}
