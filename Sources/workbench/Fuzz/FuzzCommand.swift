internal import ArgumentParser
internal import Cryptography
internal import Foundation
internal import FuzzTargets

/// Fuzzing without instrumentation, and one input once more. With instrumentation: `make fuzz`.
struct FuzzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz",
        abstract: "Feed mutated inputs to decoders and state machines; a trap or a broken promise is a finding.",
        discussion: """
            Example: workbench fuzz --target node --runs 100000 --seed 7
            One seed is one run. The input under way is kept in the file that --last names, so that one that traps is there afterwards:
            workbench fuzz --target node --input FILE
            """)

    @Option(help: "A target; default: all of them, one after the other.") var target: String?
    @Option(help: "Inputs of each target.") var runs = 10_000
    @Option(help: "Seconds for each target at most.") var seconds: Int?
    @Option(help: "Chooses the inputs.") var seed: UInt64 = 1
    @Option(help: "Where the input under way is kept.") var last = FileManager.default.temporaryDirectory
        .appendingPathComponent("posthouse-fuzz.last").path
    @Option(help: "A file with one input, to be taken once; or a folder of them.") var input: String?

    func validate() throws {
        guard runs > 0 else { throw ValidationError("--runs is 1 or more.") }
        guard target == nil || FuzzTargets.all.contains(where: { $0.name == target }) else {
            throw ValidationError("--target is one of: \(FuzzTargets.all.map(\.name).joined(separator: " ")).")
        }
        guard input == nil || target != nil else { throw ValidationError("--input needs its --target.") }
    }

    func run() throws {
        var isClean = true
        for (name, make) in FuzzTargets.all where target == nil || target == name {
            if let input { try take(input, by: make()) } else { isClean = try run(name, make()) && isClean }
        }
        if !isClean { throw ExitCode(1) }
    }

    private func run(_ name: String, _ target: any FuzzTarget) throws -> Bool {
        let kept = try KeptInput(last)
        var run = FuzzRun(target, seed: seed) { kept.keep($0) }
        let clock = ContinuousClock()
        let start = clock.now
        let limit = seconds.map { Duration.seconds($0) }
        let report = run.run(runs) { limit.map { clock.now - start < $0 } ?? true }
        let took = clock.now - start
        print(
            "\(name): seed \(seed), \(report.inputs) inputs, \(report.understood) understood, \(took), the slowest \(report.slowest)")
        guard let finding = report.finding else { return true }
        let file = "fuzz-\(name)-\(Hash.blake2b(finding.input).short)"
        try Data(finding.input).write(to: URL(fileURLWithPath: file))
        print("\(name): FINDING: \(finding.what) (\(finding.input.count) bytes, in \(file))")
        return false
    }

    private func take(_ path: String, by target: any FuzzTarget) throws {
        var target = target
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { throw ValidationError("\(path) is not there.") }
        let files = isFolder.boolValue ? try FileManager.default.contentsOfDirectory(atPath: path).sorted().map { "\(path)/\($0)" } : [path]
        for file in files {
            let input = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
            print("\(file): \(try target.take(input) ? "understood" : "refused")")
        }
    }
}

/// Memory that is a file: what is put there is still there when the process has trapped.
private struct KeptInput {
    private static let bytesMax = 256 * 1024
    private let memory: UnsafeMutableRawPointer
    private let descriptor: CInt

    init(_ path: String) throws {
        // In a folder that others write to as well nobody's link is followed.
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0, ftruncate(descriptor, off_t(Self.bytesMax)) == 0,
            let memory = mmap(nil, Self.bytesMax, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), memory != MAP_FAILED
        else { throw ValidationError("\(path) cannot be written.") }
        self.memory = memory
    }

    func keep(_ input: [UInt8]) {
        let count = min(input.count, Self.bytesMax)
        // Grown before it is written to: memory past the end of its file may not be touched.
        _ = ftruncate(descriptor, off_t(count))
        input.withUnsafeBytes { if let start = $0.baseAddress { memory.copyMemory(from: start, byteCount: count) } }
    }
}
