import ArgumentParser
import Foundation
import RelayNode
import Storage
import Vocabulary

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a federation of three nodes at work, in a temporary folder.",
        discussion: """
            Example:
              posthouse demo

            Starts three nodes and three users as processes of their own, sends messages in a direct conversation and in a group across the
            nodes, kills a node and starts it again; some five seconds.
            On a terminal the nodes then stay up for you to try, until Ctrl-C. Everything it made is removed at the end.
            """)

    func run() throws {
        let stage: DemoStage
        do { stage = try DemoStage() } catch {
            complain(Explanation(what: "The demo cannot start.", why: error.reason, remedy: "Mend that, then run it again."))
            throw ExitStatus.unavailable
        }
        var script = DemoScript(stage)
        do {
            try script.play()
        } catch {
            let reason = (error as? DemoFailure)?.reason ?? "\(error)"
            complain(
                Explanation(
                    what: "The demo stopped in step \(script.step).", why: reason,
                    remedy: "The ends of the logs follow. Mend what they show and run it again; README.md does the same by hand."))
            for line in stage.logTails(8) { complain(line) }
            stage.end(exitCode: 70)
        }
        guard isTerminal else { stage.end(exitCode: 0) }
        script.inviteToGoOn()
        stage.stay()
    }
}
