internal import ArgumentParser
internal import Glibc
internal import Vocabulary

/// Load over the real protocol, on nodes that it starts itself.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Put load on nodes and measure what it costs them.",
        discussion: """
            Starts `posthouse` (found beside this program) in a temporary folder and stops what it started. One process plays all users,
            over TLS and WebSocket. Prints one JSON object a run, or a table on a terminal; progress goes to stderr.
            """,
        subcommands: [
            LoadOnline.self, LoadOffline.self, LoadIdle.self, LoadStorm.self, LoadGroup.self, LoadCatchUp.self, LoadDirectory.self,
            LoadHop.self, LoadFlood.self, LoadFloors.self, LoadSilentServer.self, LoadTable.self,
        ])

    /// What every scenario has.
    struct Common: ParsableArguments {
        @Option(help: "Event loops of the load generator.") var threads = 2
        @Option(help: "Logins on the way at once.") var pending = 256
        @Option(help: "Chooses the users' keys.") var seed: UInt64 = 1
        @Flag(help: "One JSON object a line, on a terminal too.") var json = false
        @Flag(help: "Keep the nodes' folder.") var keep = false

        func validate() throws {
            guard (1...64).contains(threads) else { throw ValidationError("--threads is from 1 to 64.") }
            guard (1...2_000).contains(pending) else { throw ValidationError("--pending is from 1 to 2000.") }
        }

        /// Runs a scenario with nodes that are stopped whatever comes of it.
        func with(nodes: [String], _ body: (LoadFederation) throws -> Void) throws {
            Self.raiseFileLimit()
            let federation = try LoadFederation(keepsFolder: keep)
            defer { federation.stop() }
            try federation.start(nodes)
            try body(federation)
        }

        static func raiseFileLimit() {
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
    }
}

/// What one node process used between two readings.
struct LoadCost {
    private let process: LoadProcess
    private let cpu: Int
    private let own: Int
    private let start = LoadClock.now

    init(_ process: LoadProcess) { (self.process, cpu, own) = (process, process.cpu, LoadProcess.ownCPU) }

    /// Microseconds of CPU so far.
    var server: Int { process.cpu - cpu }
    var generator: Int { LoadProcess.ownCPU - own }
    var seconds: Double { Double((LoadClock.now - start).nanoseconds) / 1e9 }
}
