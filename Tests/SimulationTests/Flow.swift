import ClientCore
import Simulation
import Vocabulary

/// Users who write to each other, and the judge of what came of it.
struct Flow {
    var world: World
    let users: [Int]
    /// Who wrote which messages to whom, in order.
    private(set) var sent: [(from: Int, to: Int, message: MessageID)] = []

    /// One user a node.
    init(nodes: Int, seed: UInt64) throws {
        var world = try World(nodes: nodes, seed: seed)
        users = try (0..<nodes).map { try world.addUser("user\($0)", at: $0) }
        self.world = world
    }

    mutating func join() throws -> Bool {
        let users = users
        return try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(30))
    }

    /// - Returns: false while the sender is down.
    @discardableResult
    mutating func send(from: Int, to: Int) -> Bool {
        guard let address = world.address(users[to]), let message = world.send("\(sent.count)", from: users[from], to: address) else {
            return false
        }
        sent.append((from, to, message))
        return true
    }

    mutating func settle(within limit: Duration) throws {
        let (users, sent) = (users, sent)
        _ = try world.run(
            until: { world in sent.allSatisfy { world.state($0.message, at: users[$0.from]).isDelivered } }, within: limit)
    }

    /// Every rule of the flow that does not hold; none when all is well.
    var problems: [String] {
        var problems: [String] = []
        for (index, user) in users.enumerated() {
            let incoming = world.history(user).filter { !$0.isOutgoing }.map(\.message)
            if Set(incoming).count != incoming.count { problems.append("user \(index) was shown a message twice") }
            let expected = sent.filter { $0.to == index }
            if !Set(expected.map(\.message)).isSubset(of: incoming) { problems.append("user \(index) lacks a message") }
            if !Set(incoming).isSubset(of: expected.map(\.message)) { problems.append("user \(index) was shown what nobody sent") }
            let byConversation = Dictionary(grouping: world.history(user).filter { !$0.isOutgoing }, by: \.conversation)
            for records in byConversation.values {
                let numbers = records.compactMap(\.status.number)
                if numbers.count != records.count || zip(numbers, numbers.dropFirst()).contains(where: { $0 >= $1 }) {
                    problems.append("user \(index) was shown messages out of the order of their numbers")
                }
            }
            if world.alarms(user) > 0 { problems.append("user \(index) was alarmed") }
        }
        let undelivered = sent.count { !world.state($0.message, at: users[$0.from]).isDelivered }
        if undelivered > 0 { problems.append("\(undelivered) of \(sent.count) messages were not delivered") }
        return problems
    }
}

extension MessageState? {
    var isDelivered: Bool { self == .delivered || self == .read }
}
