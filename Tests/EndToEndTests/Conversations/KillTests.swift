import Foundation
import Testing

extension EndToEnd {
    /// POSTHOUSE_KILL_ROUNDS asks for more of them.
    @Suite struct Kills {
        private static let rounds = ProcessInfo.processInfo.environment["POSTHOUSE_KILL_ROUNDS"].flatMap { Int($0) } ?? 12

        /// SIGKILL at a random moment of a session: before, in or after the transaction that stores what came.
        @Test func `a device that is killed anywhere has each message once, and said delivered of none that it had not stored`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try bob.expect(alice)
                let group = try Group("team", by: alice, with: [bob])
                let sender = try alice.follow()
                var chance = SeededChance(seed: 4)
                var (direct, common): ([String], [String]) = ([], [])
                for round in 1...Self.rounds {
                    for number in 1...2 {
                        direct.append("direct \(round).\(number)")
                        common.append("group \(round).\(number)")
                        try alice.deliver(direct.last ?? "", to: bob, wait: "accepted")
                        try group.deliver(common.last ?? "", by: alice)
                    }
                    let receiver = try bob.follow()
                    // A program takes some 30 ms to start and as long to be up to date.
                    usleep(UInt32.random(in: 20_000...160_000, using: &chance))
                    receiver.destroy()
                    guard round % 4 == 0 else { continue }
                    // Nothing more can come to bob: what is in the profile now was stored before the kill.
                    tower.crash()
                    let said = Set(sender.ofType("receipt").compactMap { $0.text("message") })
                    let here = try bob.history(with: alice) + ((try? group.history(of: bob)) ?? [])
                    let stored = Set(here.compactMap { $0.text("id") })
                    #expect(said.isSubset(of: stored))
                    try tower.start()
                }
                let receiver = try bob.follow()
                func stored() throws -> ([String], [String]) {
                    (try bob.history(with: alice).compactMap { $0.text("text") }, try group.history(of: bob).compactMap { $0.text("text") })
                }
                try eventually("all has come") { try stored().0.count >= direct.count && stored().1.count >= common.count }
                let all = try stored()
                #expect(all.0 == direct && all.1 == common)
                try eventually("alice learns it") { try alice.history(with: bob).allSatisfy(\.isDelivered) }
                #expect(receiver.ofType("undecryptable").isEmpty && receiver.ofType("alarm").isEmpty)
            }
        }

        @Test func `a sender that is killed anywhere sends each message once or not at all, and goes on in its groups`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: harbor), try User("carol", at: harbor))
                try bob.expect(alice)
                let group = try Group("team", by: alice, with: [bob])
                var chance = SeededChance(seed: 5)
                for round in 1...Self.rounds {
                    let arguments: [String] =
                        switch round % 4 {
                        case 0: ["send", bob.address, "direct \(round)"]
                        case 1: ["send", group.id, "group \(round)"]
                        case 2: ["group", "rename", group.id, "team \(round)"]
                        default: ["group", round % 8 == 3 ? "add" : "remove", group.id, carol.address]
                        }
                    let command = try world.start("courier", arguments + ["--profile", alice.profile])
                    usleep(UInt32.random(in: 20_000...120_000, using: &chance))
                    command.destroy()
                }
                let follower = try alice.follow()
                try group.deliver("the end", by: alice)
                try alice.deliver("the end", to: bob, wait: "accepted")
                try eventually("nothing waits") { try alice.command(["outbox", "--json"]).json.isEmpty }
                let receiver = try bob.follow()
                try eventually("bob is shown the end") { receiver.texts.count { $0 == "the end" } == 2 }
                #expect(Set(receiver.texts).count == receiver.texts.count - 1, "\(receiver.texts)")
                #expect(
                    try group.history(of: alice).compactMap { $0.text("text") } == group.history(of: bob).compactMap { $0.text("text") })
                #expect(
                    try alice.history(with: bob).compactMap { $0.text("text") } == bob.history(with: alice).compactMap { $0.text("text") })
                #expect(try alice.info(group.id).text("groupName") == bob.info(group.id).text("groupName"))
                #expect(try group.members(seenBy: alice) == group.members(seenBy: bob))
                #expect(follower.ofType("alarm").isEmpty && receiver.ofType("alarm").isEmpty)
            }
        }
    }
}
