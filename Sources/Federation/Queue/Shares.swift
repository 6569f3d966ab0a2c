public import Vocabulary

extension Queues {
    /// On whose account an entry stands, where somebody could fill a queue that others need.
    package enum Origin: Hashable, Sendable {
        /// What a user has sent that waits for other nodes; and its home, where that is another node.
        case messages(UserID, of: NodeID?)
        /// What a user has told hubs at other nodes: receipts and read marks, one of each a conversation.
        case receipts(UserID)
        /// What a hub has answered a user's devices here. A user causes as much of it as he likes, so it is not on the hub's account; and a hub
        /// that lies invents as much of it as it likes, so it counts for what the user hands over to that hub alone.
        case answers(UserID, of: NodeID)
        /// What a hub at another node has sent for a device of ours.
        case hub(NodeID, for: DeviceID)

        /// The member that has caused it, and could make up as many of these accounts as it likes.
        fileprivate var node: NodeID? {
            switch self {
            case .messages(_, let home): home
            case .hub(let hub, _): hub
            case .receipts, .answers: nil
            }
        }
    }

    /// How much of all queues stands on whose account. Not on disk: what was there when the node started is on nobody's.
    struct Shares: Sendable {
        private struct Share {
            let origin: Origin
            var entries = 0
            var bytes = 0
        }

        /// By the number that a line has; 0 is nobody's.
        private var shares: [Share?] = [nil]
        private var numbers: [Origin: Int] = [:]
        private var free: [Int] = []
        private var hubEntries: [NodeID: Int] = [:]
        private var hubAnswers: [NodeID: Int] = [:]
        private var nodeBytes: [NodeID: Int] = [:]

        func size(of origin: Origin) -> (entries: Int, bytes: Int) {
            numbers[origin].flatMap { shares[$0] }.map { ($0.entries, $0.bytes) } ?? (0, 0)
        }

        func entries(of hub: NodeID) -> Int { hubEntries[hub] ?? 0 }
        func answers(of hub: NodeID) -> Int { hubAnswers[hub] ?? 0 }
        func bytes(of node: NodeID) -> Int { nodeBytes[node] ?? 0 }

        func largestSenders(_ count: Int) -> [UserID] {
            shares.lazy.compactMap(\.self).largest(count) { if case .messages = $0.origin { $0.bytes } else { 0 } }.compactMap {
                if case .messages(let user, _) = $0.origin { user } else { nil }
            }
        }

        /// - Returns: the number for the entry's line.
        mutating func add(_ origin: Origin?, bytes: UInt32) -> UInt32 {
            guard let origin else { return 0 }
            let number: Int
            if let known = numbers[origin] {
                number = known
            } else {
                if let last = free.popLast() {
                    number = last
                    shares[number] = Share(origin: origin)
                } else {
                    number = shares.count
                    shares.append(Share(origin: origin))
                }
                numbers[origin] = number
            }
            shares[number]?.entries += 1
            shares[number]?.bytes += Int(bytes)
            count(origin, 1)
            if let node = origin.node { nodeBytes[node, default: 0] += Int(bytes) }
            return UInt32(clamping: number)
        }

        private mutating func count(_ origin: Origin, _ entries: Int) {
            switch origin {
            case .hub(let hub, _): hubEntries.add(entries, to: hub)
            case .answers(_, let hub): hubAnswers.add(entries, to: hub)
            case .messages, .receipts: break
            }
        }

        mutating func remove(_ line: Outline.Line) {
            let number = Int(line.share)
            guard number > 0, number < shares.count, let share = shares[number] else { return }
            shares[number]?.entries -= 1
            shares[number]?.bytes -= Int(line.bytes)
            count(share.origin, -1)
            if let node = share.origin.node {
                nodeBytes[node, default: 0] -= Int(line.bytes)
                if nodeBytes[node] == 0 { nodeBytes[node] = nil }
            }
            guard share.entries <= 1 else { return }
            shares[number] = nil
            numbers[share.origin] = nil
            free.append(number)
        }
    }
}

extension [NodeID: Int] {
    fileprivate mutating func add(_ count: Int, to node: NodeID) {
        let sum = self[node, default: 0] + count
        self[node] = sum == 0 ? nil : sum
    }
}
