internal import ArgumentParser
internal import Glibc
internal import RelayNode
internal import Vocabulary

struct LoadDirectory: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "directory",
        abstract: "A large directory: memory and disk a record, time and bytes for a node that joins, and to find what differs.",
        discussion: """
            Example: workbench load directory --records 100000
            Some users register over the protocol, for the rate. The rest of the records are made here, signed as theirs are, and put into
            the store of the first node while it is stopped. A second node then joins and fetches, checks and stores all of them.
            Reconciliation is measured by itself, between two replicas in this process: frames, but no sockets.
            """)

    @Option(help: "User records.") var records = 100_000
    @Option(help: "Users that register over the protocol.") var registrations = 500
    @Option(help: "Records by which two replicas differ.") var differences = 100
    @Flag(help: "Only what two replicas in this process need to agree.") var replicasOnly = false
    @OptionGroup var common: LoadCommand.Common

    func validate() throws {
        guard (1_000...5_000_000).contains(records) else { throw ValidationError("--records is from 1000 to 5000000.") }
        guard (1...10_000).contains(registrations), (1...1_000).contains(differences) else {
            throw ValidationError("--registrations is from 1 to 10000, --differences from 1 to 1000.")
        }
    }

    func run() throws {
        try common.with(nodes: ["harbor"]) { federation in
            var report = LoadReport("directory")
            report.add("records", records)
            try register(federation, &report)

            let folder = DataFolder(federation.nodes[0].data)
            let (before, diskBefore) = (federation.nodes[0].process.memory, federation.storeBytes(0))
            federation.end(0)
            note("making \(records) records")
            // Numbers above those of the registered.
            let made = try LoadRecords(records, from: registrations, of: folder, seed: ~common.seed)
            if replicasOnly {
                try reconcile(made, &report)
                return report.say(asJSON: common.json)
            }
            try made.store(in: folder)
            let opened = LoadClock.now
            try federation.run(0)
            report.add("start_s", LoadGroupCrowd.seconds(LoadClock.now - opened))
            sleep(1)
            let memory = federation.nodes[0].process.memory
            report.add("memory_bytes_per_record", Double(memory.proportional - before.proportional) * 1024 / Double(records))
            report.add("disk_bytes_per_record", Double(federation.storeBytes(0) - diskBefore) / Double(records))
            try reconcile(made, &report)
            try join(federation, &report)
            report.say(asJSON: common.json)
        }
    }

    private func register(_ federation: LoadFederation, _ report: inout LoadReport) throws {
        let links = [try federation.invitation(at: 0, uses: registrations)]
        let crowd = try LoadCrowd(count: registrations, links: links, threads: common.threads, seed: common.seed)
        defer { crowd.stop() }
        let cost = LoadCost(federation.nodes[0].process)
        let opening = try crowd.open("registered", pending: common.pending, thenStop: true)
        report.add("registrations_per_s", Double(registrations) / opening.seconds)
        report.add("registration_server_cpu_us", Double(cost.server) / Double(registrations))
        report.add("registration_generator_cpu_us", Double(cost.generator) / Double(registrations))
    }

    private func reconcile(_ records: LoadRecords, _ report: inout LoadReport) throws {
        let outcome = try LoadReplicas.reconcile(records, missing: differences, seed: common.seed)
        guard outcome.isAlike else { throw LoadFailure("the replicas differ after they were compared") }
        report.add("differences", differences)
        report.add("reconcile_ms", outcome.seconds * 1e3)
        report.add("reconcile_bytes", outcome.bytes)
        report.add("reconcile_frames", outcome.frames)
    }

    private func join(_ federation: LoadFederation, _ report: inout LoadReport) throws {
        let total = records + registrations
        let cost = LoadCost(federation.nodes[0].process)
        let sent = try federation.number("frame_bytes_sent", of: 0)
        let start = LoadClock.now
        try federation.add("tower")
        var known = 0
        let deadline = LoadClock.now + .seconds(1_800)
        while known < total {
            guard LoadClock.now < deadline else { throw LoadFailure("the joining node has \(known) of \(total) records after 30 minutes") }
            usleep(50_000)
            known = try federation.number("usersKnown", of: 1)
        }
        report.add("join_s", LoadGroupCrowd.seconds(LoadClock.now - start))
        report.add("join_records_per_s", Double(total) / LoadGroupCrowd.seconds(LoadClock.now - start))
        report.add("join_giver_cpu_us_per_record", Double(cost.server) / Double(total))
        report.add("join_taker_cpu_us_per_record", Double(federation.nodes[1].process.cpu) / Double(total))
        report.add("join_bytes_per_record", Double(try federation.number("frame_bytes_sent", of: 0) - sent) / Double(total))
    }
}
