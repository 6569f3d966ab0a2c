internal import ArgumentParser
internal import Histories

/// Judges a history that the simulator or a test of real processes has written.
struct JudgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "judge", abstract: "Judge a history, read from stdin, by what a messenger promises.",
        discussion:
            "Example:\n  workbench judge --exact < history.jsonl\nExit code 0: nothing is wrong; 1: the violations are on stdout; 65: a line that is no event."
    )

    @Flag(help: "Every moment is in it, as the simulator sees it: no receipt may come before what it confirms.")
    var exact = false

    @Flag(help: "Messages and changes take all numbers: one that nobody knows is a gap.")
    var gapless = false

    func run() throws {
        var checker = HistoryChecker(HistoryRules(isExact: exact, isGapless: gapless))
        while let line = readLine() {
            do { checker.take(try HistoryEvent(line: line)) } catch {
                print(error)
                throw ExitCode(65)
            }
        }
        let violations = checker.conclude()
        for violation in violations { print(violation) }
        if !violations.isEmpty { throw ExitCode(1) }
    }
}
