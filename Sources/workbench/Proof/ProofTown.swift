internal import ClientCore
internal import Cryptography
internal import Glibc
internal import Histories
internal import Vocabulary

/// The users of most scenarios: on all nodes by turns, in pairs within a node and across, and in groups over all.
final class ProofTown {
    let federation: ProofFederation
    let fleet: ProofFleet
    /// By node; good for as many as come.
    let links: [InvitationLink]

    init(_ federation: ProofFederation, _ history: ProofHistory, users count: Int, seed: UInt64) throws {
        self.federation = federation
        links = try federation.nodes.map { try federation.invitation(at: $0, uses: 1_000) }
        fleet = try ProofFleet(history: history, seed: seed)
        for index in 0..<count { try fleet.add(home: index % links.count, link: links[index % links.count]) }
        try fleet.awaitRegistered()
        // Neighbours live on different nodes, every second one on the same.
        for index in stride(from: 0, to: count - 3, by: 4) {
            try fleet.acquaint(fleet.users[index], fleet.users[index + 1])
            try fleet.acquaint(fleet.users[index + 2], fleet.users[index])
            try fleet.acquaint(fleet.users[index + 3], fleet.users[index + 1])
        }
        for first in stride(from: 0, to: count - 3, by: 8) {
            try fleet.found("group \(first)", Array(fleet.users[first..<min(first + 5, count)]))
        }
    }

    /// Everything comes to an end, quietly and in time.
    func conclude(_ part: inout ProofPart, within limit: Duration = .seconds(60)) throws {
        defer { for (what, count) in fleet.remarks.sorted(by: { $0.key < $1.key }) { note("devices remarked, \(count) times: \(what)") } }
        do { try fleet.awaitRegistered(within: limit) } catch {
            part.violate("\(fleet.users.count - fleet.registered) users were never registered: \(error)")
            for user in fleet.users where try user.loop.submit({ user.name.isEmpty }).wait() {
                note("not registered: user \(user.index), \(try user.loop.submit { user.stuck }.wait())")
            }
        }
        if let took = try fleet.converge(within: limit) {
            part.raise("converged_s", Double(took.nanoseconds) / 1e9)
        } else {
            part.violate("not everything came to an end within \(limit) after the last fault")
        }
    }
}

/// Users who register and groups that change, all the time.
final class ProofChurn {
    private let town: ProofTown
    private var random: SeededGenerator
    private var nextUser: Instant
    private var nextChange: Instant
    private var arriving: [ProofUser] = []
    private var inGroup: ProofUser?
    private(set) var changes = 0
    private let usersMax = 200

    init(_ town: ProofTown, random: SeededGenerator) {
        (self.town, self.random) = (town, random)
        nextUser = LoadClock.now
        nextChange = LoadClock.now
    }

    func poll() throws {
        let now = LoadClock.now
        if now >= nextUser, town.fleet.users.count < usersMax {
            nextUser = now + .milliseconds(Int64.random(in: 500...2_500, using: &random))
            let home = Int.random(in: 0..<town.links.count, using: &random)
            arriving.append(try town.fleet.add(home: home, link: town.links[home]))
        }
        if let first = arriving.first, try first.loop.submit({ !first.name.isEmpty }).wait() {
            arriving.removeFirst()
            try town.fleet.acquaint(first, town.fleet.users[Int.random(in: 0..<16, using: &random) % town.fleet.users.count])
            town.fleet.join(first)
            if inGroup == nil { inGroup = first }
        }
        if now >= nextChange, let group = town.fleet.groups.randomElement(using: &random) {
            nextChange = now + .milliseconds(Int64.random(in: 300...1_200, using: &random))
            changes += 1
            let founder = group.founder
            if let guest = inGroup, changes % 2 == 0 {
                let address = try town.fleet.address(of: guest)
                let wish: GroupWish = changes % 4 == 0 ? .add(group.id, [address]) : .remove(group.id, [address])
                founder.loop.execute { founder.wish(wish) }
            } else {
                let name = "name \(changes)"
                founder.loop.execute { founder.wish(.rename(group.id, name)) }
            }
        }
    }
}
