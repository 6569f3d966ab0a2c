import Cryptography
import Federation
import Testing
import Vocabulary

/// Many cores together: what an operator sees of real failures.
@Suite struct LivenessNetworkTests {
    @Test(arguments: [2, 3, 5, 10], UInt64(0)..<10) func `a dead node is noticed by all in less than 10 s`(count: Int, seed: UInt64) {
        var network = LivenessNetwork(count, seed: seed)
        network.run(for: .seconds(20))
        #expect(network.changes.isEmpty)
        network.running[0] = false
        let died = network.now
        network.run(for: .seconds(20)) { $0.all(.dead, of: 0) }
        #expect(network.all(.dead, of: 0) && network.now - died < .seconds(10), "\(network.now - died), seed \(seed)")
        #expect((1..<count).allSatisfy { network.all(.alive, of: $0) || count == 2 })
    }

    @Test(arguments: UInt64(0)..<10) func `a closed link brings the look forward`(seed: UInt64) {
        var network = LivenessNetwork(5, seed: seed)
        network.run(for: .seconds(20))
        network.running[0] = false
        for index in 1..<5 { network.input(.linkDown(LivenessNetwork.id(0)), to: index) }
        network.run(for: .seconds(2))
        #expect(network.views(of: 0).contains { $0 != .alive })
        network.run(for: .seconds(3))
        #expect(network.all(.dead, of: 0), "seed \(seed)")
    }

    @Test(arguments: UInt64(0)..<10) func `nobody is called dead for a tenth of all messages lost`(seed: UInt64) {
        var network = LivenessNetwork(6, seed: seed)
        network.loss = 0.1
        network.run(for: .minutes(4))
        #expect(!network.changes.contains { $0.to == .dead }, "seed \(seed)")
        #expect((0..<6).allSatisfy { network.all(.alive, of: $0) || network.views(of: $0).contains(.suspect) })
    }

    @Test(arguments: UInt64(0)..<10) func `a dead node is noticed under loss too, and no other is blamed`(seed: UInt64) {
        var network = LivenessNetwork(6, seed: seed)
        network.loss = 0.1
        network.run(for: .seconds(20))
        network.running[0] = false
        let died = network.now
        network.run(for: .seconds(20)) { $0.all(.dead, of: 0) }
        #expect(network.all(.dead, of: 0) && network.now - died < .seconds(12), "\(network.now - died), seed \(seed)")
        #expect(!network.changes.contains { $0.to == .dead && $0.of != 0 }, "seed \(seed)")
    }

    @Test(arguments: UInt64(0)..<10) func `a node that stands still for three seconds is suspected, refutes, and was never dead`(
        seed: UInt64
    ) {
        var network = LivenessNetwork(5, seed: seed)
        for _ in 0..<5 {
            network.run(for: .seconds(20))
            network.stalledUntil[0] = network.now + .seconds(3)
        }
        network.run(for: .seconds(20))
        #expect(network.changes.contains { $0.of == 0 && $0.to == .suspect }, "seed \(seed)")
        #expect(!network.changes.contains { $0.to == .dead }, "seed \(seed)")
        #expect(network.all(.alive, of: 0) && network.nodes[0].incarnation > 1, "seed \(seed)")
        #expect((1..<5).allSatisfy { network.all(.alive, of: $0) }, "seed \(seed)")
    }

    @Test(arguments: UInt64(0)..<10) func `a slow way is no reason for suspicion that lasts`(seed: UInt64) {
        var network = LivenessNetwork(5, seed: seed)
        network.lag[0] = .milliseconds(300)
        network.run(for: .minutes(5))
        #expect(!network.changes.contains { $0.to == .dead }, "seed \(seed)")
        #expect(network.nodes[1][LivenessNetwork.id(0)]?.roundTrip.map { $0 > .milliseconds(600) } ?? false)
    }

    @Test(arguments: UInt64(0)..<10) func `a slow node doubts itself before it blames the others`(seed: UInt64) {
        var network = LivenessNetwork(5, seed: seed)
        network.run(for: .seconds(10))
        network.lag[0] = .milliseconds(600)
        network.run(for: .seconds(60))
        #expect(network.nodes[0].slowness > 0, "seed \(seed)")
        #expect(!network.changes.contains { $0.of != 0 && $0.to == .dead }, "seed \(seed)")
    }

    @Test(arguments: UInt64(0)..<10) func `a node that restarts is alive again everywhere within seconds`(seed: UInt64) {
        var network = LivenessNetwork(5, seed: seed)
        for turn in 1...4 {
            network.run(for: .seconds(15))
            network.running[0] = false
            network.run(for: .seconds(15))
            #expect(network.all(.dead, of: 0), "seed \(seed)")
            // Its store was restored every other time: its incarnation is not above the last one.
            network.restart(0, incarnation: turn.isMultiple(of: 2) ? 1 : UInt64(turn + 1))
            let back = network.now
            network.run(for: .seconds(15)) { $0.all(.alive, of: 0) }
            #expect(network.all(.alive, of: 0) && network.now - back < .seconds(10), "\(network.now - back), seed \(seed)")
        }
    }

    @Test(arguments: UInt64(0)..<10) func `two halves that were cut off call each other dead, and heal`(seed: UInt64) {
        var network = LivenessNetwork(6, seed: seed)
        network.run(for: .seconds(10))
        for left in 0..<3 { for right in 3..<6 { network.cut.insert([left, right]) } }
        network.run(for: .seconds(40))
        #expect(network.nodes[0].snapshot.filter { $0.state == .dead }.count == 3, "seed \(seed)")
        network.cut = []
        let healed = network.now
        network.run(for: .seconds(60)) { network in (0..<6).allSatisfy { network.all(.alive, of: $0) } }
        #expect((0..<6).allSatisfy { network.all(.alive, of: $0) }, "seed \(seed)")
        #expect(network.now - healed < .seconds(30), "\(network.now - healed), seed \(seed)")
    }

    @Test(arguments: UInt64(0)..<10) func `one broken path between two nodes makes neither suspect`(seed: UInt64) {
        var network = LivenessNetwork(5, seed: seed)
        network.cut = [[0, 1]]
        network.run(for: .minutes(5))
        #expect(network.changes.isEmpty, "seed \(seed)")
    }

    @Test func `a flapping node is followed, and ends as it is`() {
        var network = LivenessNetwork(4, seed: 1)
        var incarnation: UInt64 = 1
        for _ in 0..<20 {
            network.running[0] = false
            network.run(for: .milliseconds(Int.random(in: 100...6000, using: &network.random)))
            incarnation += 1
            network.restart(0, incarnation: incarnation)
            network.run(for: .milliseconds(Int.random(in: 100...6000, using: &network.random)))
        }
        network.run(for: .seconds(30))
        #expect(network.all(.alive, of: 0))
        #expect((1..<4).allSatisfy { network.all(.alive, of: $0) })
    }

    @Test func `traffic per node does not grow with the federation`() {
        let rates = [5, 20, 60].map { count in
            var network = LivenessNetwork(count, seed: 1)
            network.run(for: .seconds(60))
            return Double(network.sent.reduce(0, +)) / Double(count) / 60
        }
        // One ping and one acknowledgement a second.
        #expect(rates.allSatisfy { (1.8...2.2).contains($0) }, "\(rates)")
    }

    @Test func `round trips are measured`() throws {
        var network = LivenessNetwork(3, seed: 1)
        network.run(for: .seconds(20))
        let health = try #require(network.nodes[0][LivenessNetwork.id(1)])
        let roundTrip = try #require(health.roundTrip)
        #expect((Duration.milliseconds(4)...Duration.milliseconds(6)).contains(roundTrip))
        #expect(try #require(health.lastSeen) > Instant.start + .seconds(15))
        #expect(health.incarnation == 1)
    }
}
