import ClientCore
import Federation
import Groups
import MLS
import Simulation
import Testing
import Vocabulary

/// Checklist C 9, 11: how members are added, and what they do then.
@Suite struct KeyPackageTests {
    /// What the home has of a device.
    private func stock(of device: Int, at node: Int, in world: World) throws -> KeyPackageStock {
        let row = try world.store(node).value(.keyPackages, key: world.profile(device).account.deviceID.bytes)
        return try KeyPackageStock(row: try #require(row))
    }

    @Test func `who was added has keys of their own making soon after, one after the other`() throws {
        var flow = try GroupFlow(users: 12, nodes: 2, seed: 730)
        // The creator was not added.
        let (id, creator) = (flow.id, flow.users[0])
        func areFresh(_ world: World) -> Bool {
            (world.group(id, at: creator)?.members ?? []).dropFirst().allSatisfy { member in
                if case .commit = member.leaf.source { true } else { false }
            }
        }
        #expect(!areFresh(flow.world))
        #expect(try flow.world.run(until: areFresh, within: .minutes(2)))
        flow.send(by: 3)
        #expect(try flow.settle(staying: Array(0..<12), within: .seconds(60)))
        #expect(flow.problems(complete: Array(0..<12)).isEmpty)
    }

    /// Each is a commit that all have to take: they come far apart where there are many, and a time once drawn is kept over sessions.
    @Test func `the first fresh keys of a large group are spread, and those of a last resort do not wait for them`() throws {
        let count = 40
        // Of one user the home has nothing but the last resort.
        let shared = 5
        var flow = try GroupFlow(users: count, nodes: 2, seed: 732) { device, frame in
            guard device == shared, case .publishKeyPackages(let request, let supply) = frame else { return [frame] }
            return [
                .publishKeyPackages(request, KeyPackageSupply(replaces: supply.replaces, packages: [], lastResort: supply.lastResort))
            ]
        }
        let (id, users) = (flow.id, flow.users)
        func due(_ world: World, _ user: Int) -> Timestamp? {
            world.profile(user).conversations[id]?.intents.first { $0.change == .refresh }?.until
        }
        let waiting = users.dropFirst().filter { due(flow.world, $0) != nil }
        #expect(waiting.count > count * 3 / 4)
        let times = waiting.compactMap { due(flow.world, $0)?.milliseconds }.sorted()
        // 40 × 40 × 60 ms.
        #expect((times.last ?? 0) - (times.first ?? 0) > 60_000)
        // A second for each member.
        #expect(due(flow.world, shared).map { $0.seconds < flow.world.seconds + 46 } ?? true)
        // Whoever is away meanwhile comes to it no later.
        let last = try #require(waiting.max { (due(flow.world, $0)?.milliseconds ?? 0) < (due(flow.world, $1)?.milliseconds ?? 0) })
        let before = due(flow.world, last)
        flow.world.kill(device: last, for: .seconds(10))
        try flow.world.run(for: .seconds(20))
        #expect(due(flow.world, last) == before)
        let fresh = { (world: World) in
            (world.group(id, at: users[0])?.members ?? []).dropFirst().count { if case .commit = $0.leaf.source { true } else { false } }
        }
        #expect(fresh(flow.world) < count / 2)
        #expect(try flow.world.run(until: { fresh($0) == count - 1 }, within: .minutes(5)))
        #expect(flow.problems(complete: Array(users.indices)).isEmpty)
    }

    @Test func `a last resort that was used is replaced at once, and opens what was made with it before`() throws {
        var world = try World(nodes: 2, seed: 731)
        let users = try (0..<4).map { try world.addUser("user\($0)", at: $0 % 2) }
        #expect(try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60)))
        let (target, address) = (users[1], try #require(world.address(users[1])))
        let first = try #require(try stock(of: target, at: 1, in: world).lastResort)
        world.kill(device: target, for: .minutes(10))
        // More groups than the home has one-time packages of the user.
        let count = ClientLimits.keyPackagesWanted + 4
        for number in 0..<count {
            let creator = users[[0, 2, 3][number % 3]]
            world.tell(.groupRequested(Ticket(UInt64(number + 1)), .create(name: "group \(number)", members: [address])), to: creator)
            try world.run(for: .seconds(1))
        }
        #expect(try stock(of: target, at: 1, in: world).oneTime.isEmpty)
        try world.run(for: .minutes(10))
        let groups = world.profile(target).conversations.values.filter { !$0.profile.isDirect }
        #expect(groups.count == count && groups.allSatisfy { $0.standing == .accepted && !$0.isStale })
        let now = try stock(of: target, at: 1, in: world)
        #expect(now.oneTime.count == ClientLimits.keyPackagesWanted && now.lastResort != nil && now.lastResort != first)
    }
}
