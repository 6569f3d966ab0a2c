import Testing

extension EndToEnd {
    /// Five nodes that joined in a line: each had one ticket, of the one before it.
    @Suite struct DirectoryAcrossNodes {
        static let names = ["harbor", "tower", "mill", "forge", "abbey"]

        static func line(in world: World) throws -> [Node] {
            var nodes = [try Node.found(names[0], in: world)]
            for name in names.dropFirst() { nodes.append(try nodes[nodes.count - 1].invite(name, admin: true)) }
            return nodes
        }

        @Test func `a user of any node is known on every node, and a node that was down catches up`() throws {
            try World.run { world in
                let nodes = try Self.line(in: world)
                for node in nodes {
                    for name in Self.names where name != node.name {
                        try eventually("\(node.name) knows the member \(name)") { try node.state(of: name) != nil }
                    }
                }
                for node in nodes {
                    let user = try User("user-\(node.name)", at: node)
                    let start = ContinuousClock.now
                    for other in nodes { try eventually("\(other.name) knows \(user.address)") { try other.knows(user.address) } }
                    measured("\(user.address) known on 5 nodes after \(ContinuousClock.now - start)")
                }

                let sleeper = nodes[2]
                sleeper.crash()
                var meanwhile: [User] = []
                for node in [nodes[0], nodes[4]] { meanwhile.append(try User("late-\(node.name)", at: node)) }
                for user in meanwhile {
                    for node in nodes where node.name != sleeper.name {
                        try eventually("\(node.name) knows \(user.address)") { try node.knows(user.address) }
                    }
                }
                try sleeper.start()
                let start = ContinuousClock.now
                for user in meanwhile {
                    try eventually("\(sleeper.name) catches up with \(user.address)") { try sleeper.knows(user.address) }
                }
                measured("a node that was down caught up after \(ContinuousClock.now - start)")
                for node in nodes { #expect(try node.status.number("usersKnown") == 7, "\(node.name)") }
            }
        }

        @Test func `a user of the last node writes to a user of the first, and is answered`() throws {
            try World.run { world in
                let nodes = try Self.line(in: world)
                let (alice, bob) = (try User("alice", at: nodes[0]), try User("bob", at: nodes[4]))
                try alice.expect(bob)
                let (first, last) = (try alice.follow(), try bob.follow())
                try bob.deliver("to the other end", to: alice)
                try alice.deliver("and back", to: bob)
                try eventually("both show what came") { first.texts == ["to the other end"] && last.texts == ["and back"] }
            }
        }
    }
}
