import Foundation
import Histories
import Testing

extension EndToEnd {
    /// POSTHOUSE_FLOW_MESSAGES and POSTHOUSE_FLOW_SEED choose another size and another course.
    @Suite struct FlowThroughCrashes {
        private static let environment = ProcessInfo.processInfo.environment
        private static let messages = environment["POSTHOUSE_FLOW_MESSAGES"].flatMap { Int($0) } ?? 600
        private static let seed = environment["POSTHOUSE_FLOW_SEED"].flatMap { UInt64($0) } ?? 1

        /// What befalls them. A node's end is a crash or a stop; then it stays away for a while, or comes back at once.
        private enum Mishap: CaseIterable {
            case senderNodeBack, recipientNodeBack, senderNodeAway, recipientNodeAway, bothAway, stopped, recipientAway,
                recipientAndNodeAway
        }

        @Test func `every message that was sent arrives once and in order, and its sender learns it, whatever crashes`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try alice.expect(bob)
                try bob.expect(alice)
                let traffic = Traffic([alice, bob], total: Self.messages)
                for user in [0, 1] { try traffic.startReceiver(user) }
                let start = ContinuousClock.now
                traffic.startSending()

                var chance = SeededChance(seed: Self.seed)
                var mishaps: [Mishap] = []
                let nodes = [harbor, tower]
                while !traffic.isComplete {
                    try Self.wait(traffic, Int.random(in: 10...60, using: &chance))
                    if mishaps.isEmpty { mishaps = Mishap.allCases.shuffled(using: &chance) }
                    let length = Int.random(in: 5...40, using: &chance)
                    switch mishaps.removeLast() {
                    case .senderNodeBack: try harbor.restart()
                    case .recipientNodeBack: try tower.restart()
                    case .senderNodeAway: try Self.away([harbor], traffic, length)
                    case .recipientNodeAway: try Self.away([tower], traffic, length)
                    case .bothAway: try Self.away(nodes, traffic, length)
                    case .stopped:
                        let node = nodes[Int.random(in: 0...1, using: &chance)]
                        #expect(try node.stop() == .code(0))
                        try node.start()
                    case .recipientAway: try Self.userAway(Int.random(in: 0...1, using: &chance), nodes, false, traffic, length)
                    case .recipientAndNodeAway: try Self.userAway(Int.random(in: 0...1, using: &chance), nodes, true, traffic, length)
                    }
                }
                traffic.waitForSenders()
                measured("\(Self.messages) messages handed over after \(ContinuousClock.now - start), seed \(Self.seed)")

                for user in [0, 1] {
                    var told = (delivered: 0, all: 0)
                    do {
                        try eventually("all of \(traffic.users[user].handle) is delivered", within: .seconds(120), every: 200) {
                            let outgoing = try traffic.users[user].history(with: traffic.users[1 - user]).filter {
                                $0.text("direction") == "out"
                            }
                            told = (outgoing.count { $0.isDelivered }, outgoing.count)
                            return told.delivered == told.all && told.all == Self.messages / 2
                        }
                    } catch { Issue.record("seed \(Self.seed): \(error): \(told)") }
                    try traffic.notePerception(of: user)
                }
                measured("all known to be delivered after \(ContinuousClock.now - start)")
                // Delivered is committed at the recipient's device; showing follows.
                _ = try? eventually("all is shown", within: .seconds(30)) {
                    Set(traffic.events.compactMap { if case .show(let text, _, _, _) = $0.what { text } else { nil } }).count
                        >= Self.messages / 2 * 2
                }
                for user in [0, 1] { try traffic.stopReceiver(user) }
                #expect(traffic.complaints == [], "seed \(Self.seed)")
                let violations = HistoryChecker.check(traffic.events)
                #expect(violations == [], "seed \(Self.seed)")
                for user in traffic.users { #expect(try user.command(["alarms", "--json"]).lines == [], "seed \(Self.seed)") }
            }
        }

        /// Waits for so many more messages to be handed over.
        private static func wait(_ traffic: Traffic, _ count: Int) throws {
            let goal = traffic.endedCount + count
            try eventually("\(count) more are handed over", within: .seconds(120)) { traffic.endedCount >= goal || traffic.isComplete }
        }

        private static func away(_ nodes: [Node], _ traffic: Traffic, _ count: Int) throws {
            for node in nodes { node.crash() }
            try wait(traffic, count)
            for node in nodes { try node.start() }
        }

        private static func userAway(_ user: Int, _ nodes: [Node], _ withNode: Bool, _ traffic: Traffic, _ count: Int) throws {
            try traffic.leave(user)
            if withNode { nodes[user].crash() }
            let goal = traffic.endedCount + count
            try eventually("the other goes on writing", within: .seconds(120)) { traffic.endedCount >= goal || traffic.hasEnded(1 - user) }
            try traffic.notePerception(of: 1 - user)
            if withNode { try nodes[user].start() }
            try traffic.comeBack(user)
        }

        @Test func `a receiver that is killed again and again has each message once, in order`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try bob.expect(alice)
                let count = 60
                var texts: Set<String> = []
                for number in 1...count {
                    try alice.deliver("number \(number)", to: bob, wait: "accepted")
                    guard number % 6 == 0 else { continue }
                    let receiver = try bob.follow()
                    try eventually("something is shown") { !receiver.lines.isEmpty }
                    receiver.destroy()
                    texts.formUnion(receiver.texts)
                }
                let receiver = try bob.follow()
                try eventually("all is shown") { texts.union(receiver.texts).count == count }
                let stored = try bob.history(with: alice).filter { $0.text("direction") == "in" }
                #expect(stored.compactMap { $0.text("text") } == (1...count).map { "number \($0)" })
                let numbers = stored.compactMap { $0.number("number") }
                #expect(numbers == numbers.sorted() && Set(numbers).count == count)
                _ = try alice.follow()
                try eventually("the sender learns it") {
                    try alice.history(with: bob).allSatisfy(\.isDelivered)
                }
            }
        }
    }
}
