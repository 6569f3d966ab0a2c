internal import Foundation
internal import Glibc
internal import Histories
internal import Vocabulary

/// A user of the real `courier`, whose profile may suffer faults.
final class CourierUser {
    let handle: String
    let address: String
    let profile: String
    let faults: FaultControl
    private let world: ProofWorld
    private let history: ProofHistory
    private var shown: Set<String> = []

    init(
        _ handle: String, at federation: ProofFederation, node: Int = 0, _ world: ProofWorld, _ history: ProofHistory
    ) throws {
        (self.handle, self.world, self.history) = (handle, world, history)
        address = "\(handle)@\(federation.nodes[node].name)"
        profile = "\(world.folder)/\(handle)"
        faults = try FaultControl(path: "\(world.folder)/\(handle).faults")
        faults.count([])
        let link = try federation.say(["invite", "create", "--data", federation.nodes[node].data])
        let outcome = try courier(["join", link, "--handle", handle])
        guard outcome.status == 0 else { throw LoadFailure("courier join: \(outcome.errors)") }
    }

    /// Two that have accepted each other, so that what is said is told; the other one's home is `node`.
    static func pair(
        at federation: ProofFederation, node: Int = 0, _ world: ProofWorld, _ history: ProofHistory
    ) throws -> (alice: CourierUser, bob: CourierUser) {
        let alice = try CourierUser("alice", at: federation, world, history)
        let bob = try CourierUser("bob", at: federation, node: node, world, history)
        try alice.send("hello", to: bob)
        try bob.receive()
        _ = try bob.courier(["requests", "accept", alice.address])
        return (alice, bob)
    }

    func courier(_ words: [String], suffering: Bool = false, profile: String? = nil) throws -> ProofCommandRun {
        let profile = profile ?? self.profile
        let before = suffering ? try faults.prefix(folder: profile) : ["/usr/bin/env"]
        return try ProofCommandRun(
            before + ["HOME=\(world.folder)", ProofPrograms.courier] + words + ["--profile", profile], folder: world.folder,
            running: world.running)
    }

    func send(_ text: String, to other: CourierUser) throws {
        history.note(address, .invoke(message: text, to: .user(other.address)))
        let outcome = try courier(["send", other.address, text, "--wait", "accepted", "--json"])
        guard outcome.status == 0 else { throw LoadFailure("courier send: \(outcome.errors)") }
        history.note(address, .ok(message: text, .accepted))
    }

    /// Takes what is there, and lets go what is kept.
    func receive() throws {
        let outcome = try courier(["receive", "--json"])
        guard outcome.status == 0 else { throw LoadFailure("courier receive: \(outcome.errors)") }
    }

    func lines(with other: CourierUser, profile: String? = nil) throws -> [[String: Any]] {
        let outcome = try courier(["history", other.address, "--json"], profile: profile)
        return outcome.output.split(separator: "\n").compactMap {
            (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
        }
    }

    /// What this user's own history says of one message: it may not be there, if the command died before it was kept.
    func noteFate(of text: String, with other: CourierUser) throws {
        guard let line = try lines(with: other).last(where: { $0["text"] as? String == text }) else { return }
        note(line, text)
    }

    func noteStates(with other: CourierUser) throws {
        for line in try lines(with: other) where line["direction"] as? String == "out" {
            if let text = line["text"] as? String { note(line, text) }
        }
    }

    private func note(_ line: [String: Any], _ text: String) {
        guard let state = (line["state"] as? String).flatMap({ HistoryEvent.State(name: $0) }) else {
            return history.note(address, .fail(message: text, reason: line["reason"] as? String ?? "none"))
        }
        if state > .queued { history.note(address, .ok(message: text, state, place(line))) }
    }

    private func place(_ line: [String: Any]) -> HistoryEvent.Place? {
        guard let conversation = line["conversation"] as? String, let number = line["number"] as? Int else { return nil }
        return HistoryEvent.Place(conversation, UInt64(clamping: number))
    }

    /// What this user has of another, as far as it was not noted yet: each line of the profile's history once, so that a double is found.
    func noteShown(with other: CourierUser) throws {
        var seen: Set<String> = []
        for line in try lines(with: other) where line["direction"] as? String == "in" {
            guard let text = line["text"] as? String, let place = place(line) else { continue }
            guard seen.insert(text).inserted else {
                history.note(address, .show(message: text, author: other.address, place))
                continue
            }
            if shown.insert(text).inserted { history.note(address, .show(message: text, author: other.address, place)) }
        }
    }

    // MARK: An old copy of the profile

    func copyProfile() throws { try world.tool("cp", "-a", profile, profile + ".copy") }

    /// No command of this user runs.
    func putBackCopy() throws {
        try world.tool("rm", "-rf", profile)
        try world.tool("mv", profile + ".copy", profile)
        shown = []
        history.note(address, .restored)
    }

    func noteAlarms() throws {
        for line in try courier(["alarms", "--json"]).output.split(separator: "\n") {
            guard let object = (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any],
                let name = object["name"] as? String, let conversation = object["conversation"] as? String
            else { throw LoadFailure("that is no alarm: \(line)") }
            let number = (object["number"] as? Int).map { UInt64(clamping: $0) }
            history.note(address, .alarm(name, conversation: conversation, number: number))
        }
    }

    func groupName(_ group: String) throws -> String? {
        try courier(["group", "info", group, "--json"]).output.split(separator: "\n").compactMap {
            ((try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any])?["groupName"] as? String
        }.first
    }
}
