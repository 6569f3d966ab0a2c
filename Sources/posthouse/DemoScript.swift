import Foundation
import RelayNode
import Storage
import Vocabulary

/// The demo's play, act by act. What it prints has happened: every line comes after what it says was seen.
struct DemoScript {
    let stage: DemoStage
    private let begun = Date()
    private(set) var step = "1"
    var nodes: [DemoProcess] = []
    /// `courier receive --follow` of these users, for the whole play.
    var couriers: [String: DemoProcess] = [:]

    init(_ stage: DemoStage) { self.stage = stage }

    mutating func play() throws {
        show("Posthouse demo: three relay nodes and three users, each a process of its own, in \(stage.folder)")
        try foundFederation()
        try registerUsers()
        try writeToStranger()
        try makeGroup()
        try crash()
        try lookAtRelays()
        try comeBack()
        let time = String(format: "%.1f", -begun.timeIntervalSinceNow)
        show("\nDone in \(time) s: \(Line.all.count) messages written, shown once each and in one order; no node held a readable one.")
    }

    // MARK: 1

    private mutating func foundFederation() throws {
        begin("1", "Three nodes become one federation")
        let anyPort = ["--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0"]
        _ = try posthouse("init", ["--data", stage.path("harbor"), "--name", "harbor"] + anyPort)
        try startNode("harbor", "founds it")
        for (name, inviter, role) in [("tower", "harbor", ["--admin"]), ("meadow", "tower", [])] {
            let ticket = try posthouse("federation invite", ["--data", stage.path(inviter), "--for", name] + role).last ?? ""
            _ = try posthouse("federation join", [ticket, "--data", stage.path(name), "--yes"] + anyPort)
            try startNode(name, "joins with a ticket from \(inviter)")
        }
        let time = try stage.wait("harbor to hear of meadow") {
            let members = try ask("harbor", "/v1/members", MembersAnswer.self).members
            return members.count == 3 && members.allSatisfy { ["self", "alive"].contains($0.state) }
        }
        show("   harbor heard of meadow from tower \(milliseconds(time)) later: all three are alive in its view")
    }

    mutating func startNode(_ name: String, _ what: String) throws {
        let process = try stage.start(name, stage.posthouseArguments(["run", "--data", stage.path(name)]))
        var ready: String?
        try stage.wait("\(name) to serve") {
            ready = process.lines.last { $0.hasPrefix("ready ") }
            guard ready != nil || process.isRunning else { throw DemoFailure("\(name) ended with exit code \(process.status ?? -1)") }
            return ready != nil
        }
        nodes.append(process)
        let addresses = ready?.split(separator: " ").dropFirst(2).joined(separator: " ") ?? ""
        show("   \(pad(name, 6))  \(pad(what, 32))  process \(process.pid)  \(addresses)")
    }

    // MARK: 2

    private mutating func registerUsers() throws {
        begin("2", "Three users register, each with an invitation link of another node")
        for (user, node) in [("alice", "harbor"), ("bob", "tower"), ("carol", "meadow")] {
            let link = try posthouse("invite create", ["--data", stage.path(node)]).last ?? ""
            _ = try courier("join", [link, "--handle", user], as: user)
        }
        for user in ["alice", "bob", "carol"] {
            couriers[user] = try stage.start(
                user + "-courier", stage.courierArguments(["receive", "--follow", "--json"], profile: user))
        }
        let users: Set = ["alice@harbor", "bob@tower", "carol@meadow"]
        let time = try stage.wait("harbor to know all users") {
            Set(try ask("harbor", "/v1/users", UsersAnswer.self).users.map(\.address)) == users
        }
        show("   alice@harbor, bob@tower and carol@meadow; harbor, told by alice alone, knows all three \(milliseconds(time)) later")
    }

    // MARK: 3

    private mutating func writeToStranger() throws {
        begin("3", "Alice writes to Bob, to whom she is a stranger: \"\(Line.first)\"")
        let send = try stage.start(
            "alice-send",
            stage.courierArguments(
                ["send", "bob@tower", Line.first, "--wait", "read", "--timeout", "20s", "--json"], profile: "alice"))
        let request = try shown(1, to: "bob")[0]
        guard request.type == "request", request.text == Line.first else {
            throw DemoFailure("Bob's courier shows a \(request.type), not a request")
        }
        var states: [StateLine] = []
        func wait(_ state: String) throws {
            try stage.wait("Alice's message to be \(state)") {
                states = try send.lines.map { try decode(StateLine.self, $0) }
                return states.contains { $0.state == state }
            }
        }
        try wait("accepted")
        for line in states { show(line, ["sent": "on harbor's disk", "accepted": "numbered by harbor, the hub of their conversation"]) }
        show("   Bob's courier shows a request from \(request.from); Alice does not learn that it did")
        let start = Date()
        _ = try courier("requests", ["accept", "alice@harbor"], as: "bob")
        try wait("read")
        let time = milliseconds(-start.timeIntervalSinceNow * 1000)
        show("   Bob accepts it, and \(time) later Alice has his device's word: delivered, and read")
    }

    // MARK: 4

    private mutating func makeGroup() throws {
        begin("4", "Alice makes a group across the three nodes: \(Line.group)")
        let start = Date()
        _ = try courier("group", ["create", Line.group, "bob@tower", "carol@meadow"], as: "alice")
        try stage.wait("Bob and Carol to be in the group") {
            try ["bob", "carol"].allSatisfy { try lines(of: $0).contains { $0.type == "membership" && $0.groupName == Line.group } }
        }
        show("   Bob's and Carol's couriers show \(milliseconds(-start.timeIntervalSinceNow * 1000)) later that Alice added them")
        show("   Alice: \"\(Line.inGroup[0])\"")
        let states = try send(Line.inGroup[0], to: Line.group, wait: "read", as: "alice")
        for line in states {
            show(
                line,
                [
                    "sent": "on harbor's disk", "accepted": "numbered by harbor, the hub of the group",
                    "delivered": "on the devices of all members, which signed for it",
                    "read": "shown to all members, who told it end-to-end encrypted",
                ])
        }
        let receipts = try courier("receipts", [states.last?.id ?? "", "--json"], as: "alice").map { try decode(ReceiptLine.self, $0) }
        guard receipts.count == 2, receipts.allSatisfy({ $0.delivered != nil && $0.read != nil }) else {
            throw DemoFailure("Alice's receipts are not complete: \(receipts)")
        }
        show("   courier receipts: " + receipts.map { "\($0.by) delivered and read" }.joined(separator: ", "))
        for (user, text) in [("carol", Line.inGroup[1]), ("bob", Line.inGroup[2])] {
            _ = try send(text, to: Line.group, wait: "read", as: user)
            show("   \(user.capitalized): \"\(text)\", read by both others")
        }
    }

    mutating func begin(_ number: String, _ title: String) {
        step = number
        let isPlain = isatty(STDOUT_FILENO) != 1 || ProcessInfo.processInfo.environment["NO_COLOR"] != nil
        show(isPlain ? "\n\(number)  \(title)" : "\n\u{1b}[1m\(number)  \(title)\u{1b}[0m")
    }
}
