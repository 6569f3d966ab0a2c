import ArgumentParser

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows a federation of three nodes at work, in a temporary folder.")
    func run() throws {}
}
