import Foundation
import Histories
import Testing

extension EndToEnd {
    /// POSTHOUSE_GROUP_USERS and POSTHOUSE_GROUP_MESSAGES, POSTHOUSE_COMMIT_STOP (seconds), POSTHOUSE_CATCHUP_EVENTS and
    /// POSTHOUSE_CATCHUP_COMMITS choose another size, POSTHOUSE_GROUP_SEED another course. `make groups` has them whole.
    @Suite struct GroupThroughCrashes {
        private static let environment = ProcessInfo.processInfo.environment
        private static func number(_ name: String, _ usual: Int) -> Int { environment[name].flatMap { Int($0) } ?? usual }
        private static let userCount = max(12, number("POSTHOUSE_GROUP_USERS", 12))
        private static let messages = number("POSTHOUSE_GROUP_MESSAGES", 150)
        private static let seed = UInt64(number("POSTHOUSE_GROUP_SEED", 1))

        /// What the senders said, and what became of it.
        private final class Ledger: @unchecked Sendable {
            private let lock = NSLock()
            private var history: [HistoryEvent] = []
            private var kept = 0
            private var strange: [String] = []

            var events: [HistoryEvent] { lock.withLock { history } }
            var complaints: [String] { lock.withLock { strange } }
            var count: Int { lock.withLock { kept } }

            /// In the order of noting; the time is of no account here.
            func note(_ user: User, _ what: HistoryEvent.What) {
                lock.withLock { history.append(HistoryEvent(Int64(history.count), user.address, what)) }
            }

            func say(_ text: String, by user: User, in group: Group) {
                note(user, .invoke(message: text, to: .group(group.id)))
                let outcome = try? group.send(text, by: user, wait: "sent", timeout: "20s")
                if let outcome, outcome.code == 0 || outcome.code == 75 { note(user, .ok(message: text, .queued)) }
                lock.withLock {
                    if let outcome, outcome.code == 0 || outcome.code == 75 {
                        kept += 1
                    } else {
                        strange.append("\(text): \(outcome?.description ?? "?")")
                    }
                }
            }
        }

        @Test func `every member has the same messages in one order, whoever comes, goes, is away, and whichever node crashes`() throws {
            try World.run { world in
                let nodes = try DirectoryAcrossNodes.line(in: world)
                let users = try together(Array(0..<Self.userCount)) { try User("user\($0)", at: nodes[$0 % nodes.count]) }
                let alice = users[0]
                let start = ContinuousClock.now
                // Two are added later; the last two are away half of the time.
                let (late, away) = (Array(users[3...4]), Array(users.suffix(2)))
                let group = try Group("all", by: alice, with: users.filter { user in user !== alice && !late.contains { $0 === user } })
                measured("a group of \(users.count - late.count) after \(ContinuousClock.now - start)")
                var followers: [Program?] = try users.map { user in away.contains { $0 === user } ? nil : try user.follow() }
                // One must be in to write.
                for user in users where !late.contains(where: { $0 === user }) {
                    try eventually("\(user.handle) is in") {
                        if away.contains(where: { $0 === user }) { _ = try user.receive() }
                        return try user.command(["group", "info", group.id]).code == 0
                    }
                }

                let ledger = Ledger()
                // Ten where there are enough.
                let senders = [users[0], users[1], users[2]] + users[7..<(users.count - 2)].prefix(5) + users.suffix(2)
                let each = Self.messages / senders.count
                let hands = DispatchGroup()
                for user in senders {
                    hands.enter()
                    Thread {
                        for number in 1...each { ledger.say("\(user.handle): \(number)", by: user, in: group) }
                        hands.leave()
                    }.start()
                }
                var chance = SeededChance(seed: Self.seed)
                func after(_ share: Double) throws {
                    let goal = Int(Double(each * senders.count) * share)
                    try eventually("\(goal) are said", within: .seconds(300)) { ledger.count + ledger.complaints.count >= goal }
                }
                try after(0.1)
                try group.change("add", by: alice, late.map(\.address))
                try after(0.25)
                let unlucky = nodes[Int.random(in: 1..<nodes.count, using: &chance)]
                unlucky.crash()
                try group.change("remove", by: alice, [users[5].address])
                try after(0.4)
                try unlucky.start()
                try group.change("leave", by: users[6], [])
                try after(0.55)
                try nodes[0].restart()
                try after(0.7)
                for index in users.indices.suffix(2) { followers[index] = try users[index].follow() }
                try group.change("add", by: alice, [users[5].address])
                try group.change("remove", by: alice, [late[1].address])
                hands.wait()
                measured(
                    "\(Self.messages) messages to \(users.count) on \(nodes.count) nodes handed over after \(ContinuousClock.now - start)")
                #expect(ledger.complaints == [], "seed \(Self.seed)")

                let members = users.filter { user in user !== users[6] && user !== late[1] }
                try eventually("nothing waits", within: .seconds(120), every: 200) {
                    try senders.allSatisfy { try $0.command(["outbox", "--json"]).lines.isEmpty }
                }
                ledger.note(alice, .found(conversation: group.id))
                ledger.note(alice, .invoke(message: "the end", to: .group(group.id)))
                try group.deliver("the end", by: alice, wait: "delivered")
                measured("all is delivered after \(ContinuousClock.now - start)")
                for user in users {
                    for line in try group.history(of: user) { if let what = line.groupEvent { ledger.note(user, what) } }
                }
                #expect(HistoryChecker.check(ledger.events) == [], "seed \(Self.seed)")
                let roster = try group.members(seenBy: alice)
                #expect(Set(roster.keys) == Set(members.map(\.address)), "seed \(Self.seed)")
                for user in members { #expect(try group.members(seenBy: user) == roster, "\(user.handle), seed \(Self.seed)") }
                for user in users { #expect(try user.command(["alarms", "--json"]).lines == [], "\(user.handle), seed \(Self.seed)") }
            }
        }

        @Test func `members who all commit at once come to one group, also when the hub is killed and stopped meanwhile`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let users = try together(Array(0..<20)) { try User("user\($0)", at: $0 % 2 == 0 ? harbor : tower) }
                let group = try Group("all", by: users[0], with: Array(users.dropFirst()))
                let followers = try users.map { try $0.follow() }
                for user in users.dropFirst() { try group.change("role", by: users[0], [user.address, "admin"]) }
                for user in users {
                    try eventually("\(user.handle) is an admin") { try group.members(seenBy: user).values.count { $0 == "admin" } == 19 }
                }
                for round in 1...3 {
                    let start = ContinuousClock.now
                    let trouble = Thread {
                        usleep(150_000)
                        switch round {
                        case 2: try? harbor.restart()
                        case 3:
                            // Not heard for a while: as a node that swaps.
                            harbor.process?.signal(SIGSTOP)
                            sleep(UInt32(Self.number("POSTHOUSE_COMMIT_STOP", 2)))
                            harbor.process?.signal(SIGCONT)
                        default: break
                        }
                    }
                    trouble.start()
                    let outcomes = try together(users) { user in
                        try user.command(["group", "rename", group.id, "round \(round) of \(user.handle)", "--timeout", "90s"])
                    }
                    for outcome in outcomes { #expect([0, 75].contains(outcome.code), "\(outcome)") }
                    func names() throws -> Set<String> { Set(try users.compactMap { try $0.info(group.id).text("groupName") }) }
                    func renamed(_ user: User) throws -> [String] {
                        try group.history(of: user).filter { $0.text("change") == "renamed" }.compactMap {
                            "\($0.number("number") ?? 0) \($0.text("name") ?? "")"
                        }
                    }
                    try eventually("all see one name, and each one's change", every: 200) {
                        guard try names().count == 1 else { return false }
                        return try renamed(users[0]).count == 20 * round
                    }
                    let all = try renamed(users[0])
                    for user in users { #expect(try renamed(user) == all, "\(user.handle)") }
                    measured("20 commits at once, round \(round): all converged after \(ContinuousClock.now - start)")
                }
                try group.deliver("the end", by: users[7], wait: "delivered")
                for follower in followers { #expect(follower.ofType("alarm").isEmpty && follower.ofType("undecryptable").isEmpty) }
            }
        }

        @Test func `what was said and changed while a member was away is caught up with at once`() throws {
            try World.run { world in
                let (events, commits) = (Self.number("POSTHOUSE_CATCHUP_EVENTS", 200), Self.number("POSTHOUSE_CATCHUP_COMMITS", 10))
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                let group = try Group("team", by: alice, with: [bob])
                _ = try bob.receive()
                _ = try alice.follow()
                for commit in 1...commits {
                    _ = try together(Array(0..<4)) { hand in
                        for number in 1...max(1, events / commits / 4) {
                            try group.deliver("\(commit).\(hand).\(number)", by: alice, wait: "sent")
                        }
                    }
                    try group.change("rename", by: alice, ["name \(commit)"])
                }
                let start = ContinuousClock.now
                let all = max(1, events / commits / 4) * 4 * commits
                var shown = 0
                // The last of it may still be on its way between the nodes.
                try eventually("all is shown", within: .seconds(5)) {
                    shown += try bob.receive().count { $0.text("type") == "message" }
                    return shown >= all
                }
                measured("\(shown) messages and \(commits) commits caught up with after \(ContinuousClock.now - start)")
                #expect(shown == all)
                #expect(try bob.info(group.id).text("groupName") == "name \(commits)")
            }
        }
    }
}

extension JSONLine {
    /// Of `courier history GROUP --json`: what its reader was shown, or has sent.
    var groupEvent: HistoryEvent.What? {
        guard let place else { return nil }
        if let words = text("text") {
            return text("direction") == "out"
                ? .ok(message: words, .accepted, place) : .show(message: words, author: text("from") ?? "?", place)
        }
        guard let change = text("change") else { return nil }
        return .change(place, HistoryEvent.Change(rawValue: change) ?? .other, who: list("who").sorted())
    }
}
