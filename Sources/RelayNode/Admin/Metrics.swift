/// The status in Prometheus' text format 0.0.4. Counts only: no name of a user, device or conversation.
enum Metrics {
    static func text(_ status: StatusAnswer) -> String {
        var lines: [String] = []
        func gauge(_ name: String, _ help: String, _ value: Double?) {
            guard let value else { return }
            lines.append("# HELP posthouse_\(name) \(help)")
            lines.append("# TYPE posthouse_\(name) gauge")
            lines.append("posthouse_\(name) \(value)")
        }
        gauge("users", "Users whose home this node is.", Double(status.users))
        gauge("users_known", "User records in the replica.", Double(status.usersKnown))
        gauge("sessions", "Authenticated client sessions.", Double(status.sessions))
        gauge("queued_messages", "Entries in all queues.", Double(status.queuedMessages))
        gauge("queued_bytes", "Bytes of the entries in all queues.", Double(status.queuedBytes))
        gauge(
            "log_readers", "Devices that were away and have a group of this node to read in its log, once for each.",
            status.logReaders.map(Double.init))
        gauge("queue_oldest_seconds", "Age of the oldest waiting entry.", status.oldestSeconds)
        gauge("peers_up", "Nodes a link is up to.", Double(status.peers))
        gauge("members", "Members of the federation.", Double(status.members))
        gauge("store_bytes", "Size of the store's files.", Double(status.storeBytes))
        gauge("disk_free_bytes", "Free space of the data folder's disk.", status.freeBytes.map(Double.init))
        gauge("commit_seconds_p50", "Median duration of the last commits.", status.commitMillisecondsP50.map { $0 / 1000 })
        gauge("commit_seconds_p99", "99th percentile of the last commits.", status.commitMillisecondsP99.map { $0 / 1000 })
        gauge("up_seconds", "Time the node has run in all its life.", Double(status.upTimeSeconds))
        gauge("refusing_for_space", "1 while new messages are refused since the disk is full.", status.refusingForSpace ? 1 : 0)
        gauge("recovering", "Conversations that are being taken up after a restoration from a backup.", Double(status.recovering))
        gauge("store_damaged_rows", "Rows of the store that did not open since the start.", Double(status.damagedRows.values.reduce(0, +)))
        lines.append("# HELP posthouse_events_total What happened, by kind.")
        lines.append("# TYPE posthouse_events_total counter")
        for (name, count) in status.counters.sorted(by: { $0.key < $1.key }) {
            lines.append("posthouse_events_total{kind=\"\(name.filter { $0 != "\"" && $0 != "\\" && $0 != "\n" })\"} \(count)")
        }
        lines.append("# HELP posthouse_commits_total Transactions committed.")
        lines.append("# TYPE posthouse_commits_total counter")
        lines.append("posthouse_commits_total \(status.commits)")
        return lines.joined(separator: "\n") + "\n"
    }
}
