import ClientCore
import Groups
import Simulation
import Testing
import Vocabulary

/// Checklist C 1: a commit of ours before it is sent, on its way, accepted and not merged, merged.
@Suite struct GroupChangeCrashTests {
    enum Victim: CaseIterable, Sendable { case device, hub }

    /// Every step of the world in which something of the change happens, and some after it.
    @Test(arguments: Victim.allCases, 0..<30)
    func `a change during which its maker or the hub dies is made once, and nobody is left behind`(victim: Victim, step: Int) throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 710)
        try flow.world.run(for: .seconds(30))
        flow.wish(.rename(flow.id, "after"), by: 0)
        var left = step
        _ = try flow.world.run(
            until: { _ in
                left -= 1
                return left < 0
            }, within: .seconds(1))
        switch victim {
        case .device: flow.world.kill(device: flow.users[0], for: .milliseconds(500))
        case .hub: flow.world.kill(node: 0, for: .milliseconds(500))
        }
        try flow.world.run(for: .seconds(10))
        flow.insist()
        try flow.world.run(for: .seconds(5))
        for index in 0..<3 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        #expect(flow.problems(complete: [0, 1, 2]).isEmpty, "\(flow.problems(complete: [0, 1, 2]))")
        for index in 0..<3 {
            let one = flow.world.profile(flow.users[index]).conversations[flow.id]
            #expect(one?.profile.name == "after" && one?.committing == nil && one?.intents.isEmpty == true)
            let renamings = flow.world.history(flow.users[index]).count {
                if case .membership(.renamed("after")) = $0.body { true } else { false }
            }
            #expect(renamings == 1, "user \(index)")
        }
    }
}
