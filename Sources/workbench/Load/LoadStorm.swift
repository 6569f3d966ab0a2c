internal import ArgumentParser
internal import Glibc
internal import Vocabulary

struct LoadStorm: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm",
        abstract: "All sessions come back after their node's restart: authenticated logins a second.",
        discussion: "Example: workbench load storm --sessions 5000")

    @Option(help: "Sessions.") var sessions = 5_000
    @OptionGroup var common: LoadCommand.Common

    func validate() throws {
        guard (1...19_000).contains(sessions) else { throw ValidationError("--sessions is from 1 to 19000: a node's own bound.") }
    }

    func run() throws {
        try common.with(nodes: ["harbor"]) { federation in
            let crowd = try LoadCrowd(
                count: sessions, links: [federation.invitation(at: 0, uses: sessions)], threads: common.threads, seed: common.seed)
            defer { crowd.stop() }
            _ = try crowd.open("registered", pending: common.pending, thenStop: true)
            try federation.restart(0)
            usleep(300_000)
            let cost = LoadCost(federation.nodes[0].process)
            let opened = try crowd.open("logged in", pending: common.pending, voices: true)
            var report = LoadReport("storm")
            report.add("sessions", sessions)
            report.add("logins_per_s", Double(sessions) / opened.seconds)
            report.add("login_server_cpu_us", Double(cost.server) / Double(sessions))
            report.add("login_generator_cpu_us", Double(cost.generator) / Double(sessions))
            report.add("login", milliseconds: opened.times)
            report.add("attempts_failed", opened.failures)
            report.say(asJSON: common.json)
        }
    }
}
