internal import ArgumentParser

/// The program for those who develop and judge Posthouse; it is not installed.
struct Workbench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workbench",
        abstract: "Runs parts of Posthouse against vectors, other implementations, the simulator and load.",
        subcommands: [
            NegentropyCommand.self, LoadCommand.self, MLSVectorsCommand.self, MLSBenchCommand.self, FuzzCommand.self,
            MLSPeerCommand.self, SimulateCommand.self, GossipCommand.self, ProofCommand.self, JudgeCommand.self,
        ])
}
