internal import Cryptography
internal import Federation
internal import Glibc
internal import Vocabulary
internal import Wire

/// Two replicas of the directory in this process, with a link between them that has no delay: what reconciliation costs by itself.
struct LoadReplicas {
    struct Outcome {
        var seconds = 0.0
        /// Of all frames in both directions.
        var bytes = 0
        var frames = 0
        var isAlike = false
    }

    /// - Parameter missing: how many of the records the second replica lacks.
    static func reconcile(_ records: LoadRecords, missing: Int, seed: UInt64) throws -> Outcome {
        var random = SeededGenerator(seed: seed)
        let lacking = Set((0..<missing).map { $0 * (records.rows.count / max(missing, 1)) })
        let some = records.rows.indices.filter { !lacking.contains($0) }.map { records.rows[$0] }
        let nodes = [records.home, NodeID(raw: SigningKey(using: &random).publicKey)]
        var replicas = [
            try Directory(node: nodes[0], federation: records.federation, records: records.rows),
            try Directory(node: nodes[1], federation: records.federation, records: some),
        ]
        var outcome = Outcome()
        var waiting: [(to: Int, frame: LinkFrame)] = []
        func take(_ effects: [DirectoryEffect], of replica: Int) {
            for effect in effects {
                guard case .send(_, let frame) = effect else { continue }
                outcome.bytes += frame.serialized().count
                outcome.frames += 1
                waiting.append((1 - replica, frame))
            }
        }
        let start = LoadClock.now
        for index in 0...1 {
            let input = DirectoryInput.membersChanged(active: nodes, expelled: [])
            take(replicas[index].step(input, at: start, using: &random), of: index)
        }
        for index in 0...1 { take(replicas[index].step(.linkUp(nodes[1 - index]), at: start, using: &random), of: index) }
        // One of the two begins with its first deadline, which is now.
        for index in 0...1 { take(replicas[index].step(.deadlineReached, at: start, using: &random), of: index) }
        while !waiting.isEmpty {
            let (to, frame) = waiting.removeFirst()
            take(replicas[to].step(.frameReceived(frame, from: nodes[1 - to]), at: start, using: &random), of: to)
        }
        outcome.seconds = Double((LoadClock.now - start).nanoseconds) / 1e9
        outcome.isAlike = replicas[0].userCount == replicas[1].userCount
        return outcome
    }
}
