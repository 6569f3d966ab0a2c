import Foundation
import Glibc

/// A user: one profile of `courier`.
final class User: @unchecked Sendable {
    let world: World
    let handle: String
    let address: String
    let profile: String
    /// What `join` printed: user, device, federation.
    let identity: JSONLine

    /// Registers at a node.
    init(_ handle: String, at node: Node, link: String? = nil) throws {
        (world, self.handle) = (node.world, handle)
        profile = "\(node.world.folder)/profiles/\(handle)@\(node.name)"
        let outcome = try world.must("courier", ["join", link ?? node.invitation(), "--handle", handle, "--json", "--profile", profile])
        guard let line = outcome.json.first, let address = line.text("address") else { throw Program.Failure(description: "\(outcome)") }
        (identity, self.address) = (line, address)
    }

    @discardableResult
    func command(_ arguments: [String], input: String? = nil) throws -> World.Outcome {
        try world.run("courier", arguments + ["--profile", profile], input: input)
    }

    /// `courier send`, as JSON lines.
    @discardableResult
    func send(_ text: String, to user: User, wait: String = "accepted", timeout: String = "60s") throws -> World.Outcome {
        try command(["send", user.address, text, "--wait", wait, "--timeout", timeout, "--json"])
    }

    /// Sends, and sees that the state is reached.
    @discardableResult
    func deliver(_ text: String, to user: User, wait: String = "delivered") throws -> JSONLine {
        let outcome = try send(text, to: user, wait: wait)
        guard outcome.exit == .code(0), let last = outcome.json.last, last.text("state") == wait else {
            throw Program.Failure(description: "\(outcome)")
        }
        return last
    }

    /// `courier receive --follow`: this profile's owner until it is stopped.
    func follow(onLine: (@Sendable (String) -> Void)? = nil) throws -> Program {
        try world.start("courier", ["receive", "--follow", "--json", "--profile", profile], onLine: onLine)
    }

    /// What is waiting: messages, requests, changes of groups, alarms.
    func receive() throws -> [JSONLine] {
        let outcome = try command(["receive", "--json"])
        guard outcome.exit == .code(0) else { throw Program.Failure(description: "\(outcome)") }
        return outcome.json.filter { !["receipt", "presence", "typing", "hole"].contains($0.text("type")) }
    }

    func history(with user: User) throws -> [JSONLine] { try history(with: user.address) }

    /// - Parameter place: an address, or a group.
    func history(with place: String) throws -> [JSONLine] {
        let outcome = try command(["history", place, "--json"])
        guard outcome.exit == .code(0) else { throw Program.Failure(description: "\(outcome)") }
        return outcome.json
    }
}

extension Program {
    func ofType(_ type: String) -> [JSONLine] { lines.compactMap { JSONLine($0) }.filter { $0.text("type") == type } }
    /// The messages that it has shown.
    var messages: [JSONLine] { lines.compactMap { JSONLine($0) }.filter { $0.text("type") == "message" } }
    var texts: [String] { messages.compactMap { $0.text("text") } }
}
