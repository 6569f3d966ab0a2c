internal import Vocabulary

// What fills the node, for whoever looks for the reason.
extension Node {
    func queuesReport(_ count: Int) -> QueuesReport {
        QueuesReport(queues: queues.largest(count).map(report), causes: causes(count))
    }

    private func report(_ queue: Queues.Size) -> QueuesReport.Queue {
        let (name, device): (String, DeviceID?) =
            switch queue.destination {
            case .node(let node): (self.name(of: node), nil)
            case .device(let device): (directory.user(ofLocal: device).map(self.name) ?? "?", device)
            }
        let oldest = queue.oldest.map { Double(max(0, wall.milliseconds - Int64($0.value / 1000))) / 1000 }
        return QueuesReport.Queue(name: name, device: device, entries: queue.entries, bytes: queue.bytes, oldestSeconds: oldest)
    }

    private func causes(_ count: Int) -> [QueuesReport.Cause] {
        let nodes = membership.evaluation.members.map { member in
            QueuesReport.Cause(
                name: name(of: member.id), isNode: true, queueBytes: queues.bytes(onAccountOf: member.id),
                logBytes: hub.logBytes(ofHome: member.id))
        }
        // Who is among the largest by both together is among the largest by one of them, or nearly so.
        let users = Set(queues.largestSenders(count) + hub.largestWriters(count)).sorted().map { user in
            let home = directory.home(of: user).flatMap { $0 == id ? nil : $0 }
            return QueuesReport.Cause(
                name: name(of: user), isNode: false, queueBytes: queues.bytes(onAccountOf: user, of: home),
                logBytes: hub.logBytes(of: user))
        }
        func total(_ cause: QueuesReport.Cause) -> Int { cause.queueBytes + cause.logBytes }
        return (nodes + users).filter { total($0) > 0 }.largest(count, by: total)
    }

    private func name(of node: NodeID) -> String { membership.evaluation[node]?.name?.description ?? node.short }

    private func name(of user: UserID) -> String {
        directory.record(of: user).flatMap { address(of: $0)?.description } ?? user.short
    }
}

extension Sequence {
    /// The largest so many, the largest first; of equal ones those that come first. Sorts no more than these.
    func largest(_ count: Int, by size: (Element) -> Int) -> [Element] {
        var found: [(size: Int, element: Element)] = []
        for element in self {
            let size = size(element)
            if found.count >= count, let last = found.last, last.size >= size { continue }
            found.insert((size, element), at: found.firstIndex { $0.size < size } ?? found.endIndex)
            if found.count > count { found.removeLast() }
        }
        return found.map(\.element)
    }
}
