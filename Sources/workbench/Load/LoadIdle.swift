internal import ArgumentParser
internal import Glibc
internal import Synchronization

struct LoadIdle: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle",
        abstract: "Sessions that say nothing: memory a session, logins a second, CPU a login and while nothing happens.",
        discussion: """
            Example: workbench load idle --sessions 10000
            Registers the users, restarts the node, logs all of them in, waits, and compares the node's memory with that before the logins.
            """)

    @Option(help: "Authenticated sessions.") var sessions = 10_000
    @Option(help: "Seconds from the last login to the measurement.") var settle = 5
    @Option(help: "Seconds over which idle CPU is measured; each session pings every 60.") var watch = 10
    @OptionGroup var common: LoadCommand.Common

    func validate() throws {
        guard (1...19_000).contains(sessions) else { throw ValidationError("--sessions is from 1 to 19000: a node's own bound.") }
        guard (0...3_600).contains(settle), (1...3_600).contains(watch) else { throw ValidationError("--settle and --watch: up to 3600.") }
    }

    func run() throws {
        try common.with(nodes: ["harbor"]) { federation in
            var report = LoadReport("idle")
            report.add("sessions", sessions)
            let crowd = try LoadCrowd(
                count: sessions, links: [federation.invitation(at: 0, uses: sessions)], threads: common.threads, seed: common.seed)
            var isStopped = false
            defer { if !isStopped { crowd.stop() } }

            var cost = LoadCost(federation.nodes[0].process)
            let registered = try crowd.open("registered", pending: common.pending, thenStop: true)
            report.add("registrations_per_s", Double(sessions) / registered.seconds)
            report.add("registration_server_cpu_us", Double(cost.server) / Double(sessions))

            // Restarted, so that the memory before is that of a node with these users and without their sessions.
            try federation.restart(0)
            let node = federation.nodes[0].process
            sleep(1)
            let before = node.memory
            cost = LoadCost(node)
            let opened = try crowd.open("logged in", pending: common.pending, voices: true)
            report.add("logins_per_s", Double(sessions) / opened.seconds)
            report.add("login_server_cpu_us", Double(cost.server) / Double(sessions))
            report.add("login_generator_cpu_us", Double(cost.generator) / Double(sessions))
            report.add("login", milliseconds: opened.times)
            report.add("logins_failed", registered.failures + opened.failures)

            let losses = crowd.watchForLosses()
            sleep(UInt32(settle))
            let after = node.memory
            report.add("rss_before_kib", before.resident)
            report.add("rss_kib", after.resident)
            report.add("rss_kib_per_session", Double(after.resident - before.resident) / Double(sessions))
            report.add("pss_kib_per_session", Double(after.proportional - before.proportional) / Double(sessions))
            cost = LoadCost(node)
            sleep(UInt32(watch))
            report.add("idle_server_cpu_percent", Double(cost.server) / 1e4 / cost.seconds)
            report.add("sessions_lost", losses.count.load(ordering: .relaxed))
            crowd.stop()
            isStopped = true
            let floor = try SilentFloor(sessions: sessions).run(threads: common.threads)
            report.add("tls_floor_pss_kib_per_session", floor)
            report.add("pss_kib_per_session_above_floor", Double(after.proportional - before.proportional) / Double(sessions) - floor)
            report.say(asJSON: common.json)
        }
    }
}
