import Foundation
import RelayNode
import Storage

// A node is killed, the others go on, and nothing is lost.

extension DemoScript {
    // MARK: 5

    mutating func crash() throws {
        begin("5", "Bob's node is killed (SIGKILL); Alice and Carol go on writing")
        try stage.send(SIGKILL, to: nodes[1])
        show("   tower   process \(nodes[1].pid) is gone")
        for (index, text) in Line.later.enumerated() {
            let author = index == 1 ? "carol" : "alice"
            guard let state = try send(text, to: Line.group, wait: "accepted", as: author).last else { continue }
            let time = String(format: "%4.1f", state.ms ?? 0)
            show("   number \(state.number ?? 0)  accepted after \(time) ms  \(author.capitalized): \"\(text)\"")
        }
        var queued: UInt64 = 0
        try stage.wait("harbor to hold what is Bob's") {
            queued = UInt64(try ask("harbor", "/v1/members", MembersAnswer.self).members.first { $0.name == "tower" }?.queued ?? 0)
            return queued >= Line.later.count
        }
        let status = try ask("harbor", "/v1/status", StatusAnswer.self)
        show("   harbor holds \(queued) sealed entries for tower (messages, and what was read), \(status.queuedBytes) bytes")
    }

    // MARK: 6

    mutating func lookAtRelays() throws {
        begin("6", "What the relays see of all that")
        let scratch = stage.path("stolen")
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: false)
        // What is fresh stands in the journal; half a second later in rows.
        var rows = try StolenStore(of: stage.path("harbor"), scratch: scratch).entries
        for _ in 0..<20 where rows.isEmpty {
            usleep(100_000)
            rows = try StolenStore(of: stage.path("harbor"), scratch: scratch).entries
        }
        for entry in rows.prefix(1) {
            let body = entry.body.isEmpty ? entry.sealed : entry.body
            let (queue, start) = (hex(entry.queue.prefix(8)), hex(body.prefix(20)))
            show("   harbor's disk, first waiting row: queue \(queue)..., \(body.count) bytes: \(start)...")
        }
        let names = nodes.map(\.name)
        let search = DemoSearch(Line.all)
        let result = search.search(names.flatMap { [stage.path($0), stage.path($0 + ".out"), stage.path($0 + ".log")] } + [scratch])
        guard result.found.isEmpty else { throw DemoFailure("message text is in \(result.found)") }
        let count = Line.all.count
        let files = result.files
        show("   the \(count) texts, as they are, in hex and in base64, in all \(files) files of the nodes (stores, logs): not found")
        guard let carol = couriers["carol"], !search.search([carol.outputFile]).found.isEmpty else {
            throw DemoFailure("the search does not find what is there")
        }
        show("   the same search in what Carol's courier printed: found, so it does search")
    }

    // MARK: 7

    mutating func comeBack() throws {
        begin("7", "The node comes back")
        nodes.remove(at: 1)
        let start = Date()
        try startNode("tower", "starts from its disk")
        let ofOthers = Line.inGroup.dropLast() + Line.later
        let shown = try shown(1 + ofOthers.count, to: "bob").dropFirst()
        let time = -start.timeIntervalSinceNow * 1000
        guard shown.map(\.text) == Array(ofOthers) else {
            throw DemoFailure("Bob's courier shows \(shown.map(\.text)), not what was written")
        }
        for line in shown.suffix(Line.later.count) {
            show("   Bob's courier shows number \(line.number ?? 0) from \(line.from): \"\(line.text ?? "")\"")
        }
        show("   in order, \(milliseconds(time)) after the start; Bob's courier had reconnected by itself")
        while try !history(of: "alice").allSatisfy({ $0.direction == "in" || $0.state == "read" }) {
            guard -start.timeIntervalSinceNow < 10 else { throw DemoFailure("Alice's messages are not read by all 10 s later") }
            usleep(20_000)
        }
        show("   Alice's courier has Bob's word for all of hers: read")
        let histories = try ["alice", "bob", "carol"].map { try history(of: $0).map { "\($0.number ?? 0) \($0.text ?? "")" } }
        guard histories.allSatisfy({ $0 == histories[0] }), histories[0].count == Line.inGroup.count + Line.later.count else {
            throw DemoFailure("the histories differ: \(histories)")
        }
        show("   the three histories of \(Line.group) are the same")
        let alarms = try ["alice", "bob", "carol"].flatMap { try courier("alarms", ["--json"], as: $0) }
        guard alarms.isEmpty else { throw DemoFailure("a courier raised an alarm: \(alarms)") }
    }

    /// The group's messages, as this user has them.
    private func history(of user: String) throws -> [HistoryLine] {
        try courier("history", [Line.group, "--json"], as: user).map { try decode(HistoryLine.self, $0) }.filter { $0.type == "message" }
    }

    /// The couriers give the profiles free; the nodes stay.
    func inviteToGoOn() {
        for process in couriers.values { try? stage.send(SIGTERM, to: process) }
        show("\nThe nodes stay up. Go on in two other terminals:")
        for user in ["alice", "bob"] { show("   " + stage.courierArguments(["chat"], profile: user).joined(separator: " ")) }
        show("Ctrl-C ends the nodes and removes the folder.")
    }
}
