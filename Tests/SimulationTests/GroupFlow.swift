import ClientCore
import Groups
import Simulation
import Vocabulary

/// A group of users over several nodes, what they did, and the judge of what came of it.
struct GroupFlow {
    var world: World
    let users: [Int]
    let id: ConversationID
    private(set) var sent: [(message: MessageID, by: Int)] = []
    private var tickets: UInt64 = 1
    /// Commands under way: told again by hand as long as the device was down or the node away.
    private var wishes: [(ticket: Ticket, wish: GroupWish, by: Int)] = []

    /// The first user creates the group with the others; `outside` of them, the last, are not in it yet.
    /// - Parameter plot: `World.plot`, from the beginning.
    init(
        users count: Int, nodes: Int, seed: UInt64, outside: Int = 0,
        plot: (@Sendable (_ device: Int, ClientFrame) -> [ClientFrame])? = nil
    ) throws {
        var world = try World(nodes: nodes, seed: seed)
        world.plot = plot
        let users = try (0..<count).map { try world.addUser("user\($0)", at: $0 % nodes) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        let members = users[1..<(count - outside)].compactMap { world.address($0) }
        world.tell(.groupRequested(Ticket(0), .create(name: "crew", members: members)), to: users[0])
        let inside = Array(users[..<(count - outside)])
        _ = try world.run(
            until: { world in
                inside.allSatisfy {
                    Self.group(of: $0, in: world).map { id in world.members(of: id, at: inside[0]).count == inside.count } ?? false
                }
            },
            within: .seconds(120))
        guard let id = Self.group(of: users[0], in: world) else { throw GroupError.notMade }
        (self.world, self.users, self.id) = (world, users, id)
    }

    enum GroupError: Error { case notMade }

    private static func group(of user: Int, in world: World) -> ConversationID? {
        world.profile(user).conversations.values.filter { !$0.profile.isDirect }.map(\.id).min()
    }

    mutating func send(by index: Int) {
        guard let message = world.send("\(sent.count)", from: users[index], to: id) else { return }
        // A device that is not in the group yet, or any more, takes nothing.
        if world.state(message, at: users[index]) != nil { sent.append((message, index)) }
    }

    func address(_ index: Int) -> Address? { world.address(users[index]) }

    mutating func wish(_ wish: GroupWish, by index: Int) {
        tickets += 1
        wishes.append((Ticket(tickets), wish, index))
        world.tell(.groupRequested(Ticket(tickets), wish), to: users[index])
    }

    /// Asks again for what was not done: a user would.
    mutating func insist() {
        for (ticket, wish, index) in wishes {
            let isDone = world.heard(users[index]).contains { effect in
                if case .groupDone(let done, _) = effect { done == ticket } else { false }
            }
            if !isDone { world.tell(.groupRequested(ticket, wish), to: users[index]) }
        }
    }

    /// Runs until those who stay agree on a head and have everything.
    mutating func settle(staying: [Int], within limit: Duration) throws -> Bool {
        let (users, id, sent) = (users, id, sent)
        var left = limit
        while left > .zero {
            let isDone = try world.run(
                until: { world in
                    let heads = Set(staying.map { world.profile(users[$0]).conversations[id]?.head })
                    return heads.count == 1
                        && sent.allSatisfy { !staying.contains($0.by) || world.state($0.message, at: users[$0.by]).isDelivered }
                }, within: .seconds(10))
            if isDone { return true }
            left -= .seconds(10)
        }
        return false
    }

    // MARK: For those who lie to it

    /// By the world's numbers.
    var devices: [DeviceID] {
        (0...(users.max() ?? 0)).map { world.profile($0).account.deviceID }
    }

    func isOne(of indices: [Int]) -> @Sendable (DeviceID) -> Bool {
        let chosen = Set(indices.map { world.profile(users[$0]).account.deviceID })
        return { chosen.contains($0) }
    }

    func head(at index: Int) -> SequenceNumber { world.profile(users[index]).conversations[id]?.head ?? .zero }

    func chain(at index: Int) -> Digest { world.profile(users[index]).conversations[id]?.chain ?? .zero }

    /// What was shown, in order.
    func texts(at index: Int) -> [String] {
        world.history(users[index]).compactMap { if case .incoming(let text) = $0.body { text } else { nil } }
    }

    func alarms(at index: Int) -> [Alarm] { world.profile(users[index]).alarms.map(\.alarm) }

    func members(at index: Int) -> Set<UserID> { Set(world.members(of: id, at: users[index]).map(\.user)) }

    /// Every rule that does not hold; none when all is well.
    func problems(complete: [Int]) -> [String] {
        var problems: [String] = []
        var numbers: [SequenceNumber: MessageID] = [:]
        for (index, user) in users.enumerated() {
            let texts = world.history(user).filter { record in
                if case .membership = record.body { return false }
                return record.conversation?.conversation == id && !record.isOutgoing
            }
            let order = texts.compactMap(\.status.number)
            if order.count != texts.count || zip(order, order.dropFirst()).contains(where: { $0 >= $1 }) {
                problems.append("user \(index) was shown messages out of order")
            }
            if Set(texts.map(\.message)).count != texts.count { problems.append("user \(index) was shown a message twice") }
            for record in texts {
                if case .undecryptable(let why) = record.body { problems.append("user \(index) could not read one: \(why)") }
                guard let number = record.status.number else { continue }
                if let other = numbers[number], other != record.message { problems.append("number \(number) has two messages") }
                numbers[number] = record.message
            }
            if world.alarms(user) > 0 { problems.append("user \(index) was alarmed: \(world.profile(user).alarms.map(\.alarm))") }
        }
        let accepted = Set(sent.filter { world.state($0.message, at: users[$0.by]).isDelivered }.map(\.message))
        for index in complete {
            let has = Set(world.history(users[index]).map(\.message))
            let lacks = accepted.subtracting(has)
            if !lacks.isEmpty { problems.append("user \(index) lacks \(lacks.count) messages") }
        }
        return problems
    }
}
