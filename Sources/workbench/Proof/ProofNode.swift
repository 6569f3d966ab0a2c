internal import Glibc
internal import Vocabulary

/// A node of the run: its data folder, its process while it runs, and the handle on its faults.
///
/// Unchecked: one thread at a time has it.
final class ProofNode: @unchecked Sendable {
    let name: String
    let data: String
    let faults: FaultControl
    private let folder: String
    private let running: RunningProcesses
    private(set) var process: LoadProcess?
    /// In front of the program's words: another network namespace.
    var prefix: [String] = []
    private(set) var starts = 0

    init(name: String, data: String, folder: String, running: RunningProcesses) throws {
        (self.name, self.data, self.folder, self.running) = (name, data, folder, running)
        faults = try FaultControl(path: "\(folder)/\(name).faults")
        faults.count(.changes)
    }

    var log: String { "\(folder)/\(name).log" }

    /// Starts it and does not wait.
    func launch() throws {
        starts += 1
        let words = try prefix + faults.prefix(folder: data) + [ProofPrograms.posthouse, "run", "--data", data]
        let process = try LoadProcess(words, output: "\(folder)/\(name).out", log: log)
        running.insert(process)
        self.process = process
    }

    var isReady: Bool { process?.output.contains("ready \(name)") == true }

    /// How it ended; nil while it runs. 128 and more: by that signal.
    func ended() -> Int32? {
        guard let process else { return nil }
        guard let status = process.exitStatus else { return nil }
        running.remove(process)
        self.process = nil
        return status
    }

    /// Starts it and waits until it serves.
    func start(within limit: Duration = .seconds(30)) throws {
        try launch()
        guard try awaitReady(within: limit) == nil else { throw LoadFailure("\(name) does not start: \(lastWords)") }
    }

    /// - Returns: the exit status if it ended instead.
    func awaitReady(within limit: Duration = .seconds(30)) throws -> Int32? {
        let deadline = LoadClock.now + limit
        while !isReady {
            if let status = ended() { return status }
            guard LoadClock.now < deadline else { throw LoadFailure("\(name) is not ready within \(limit): \(lastWords)") }
            usleep(1_000)
        }
        return nil
    }

    var lastWords: String { String(Files.text(log).suffix(1_500)) }

    func signal(_ number: Int32) { process?.signal(number) }

    @discardableResult
    func awaitEnd(within limit: Duration = .seconds(20)) throws -> Int32 {
        let deadline = LoadClock.now + limit
        while true {
            if let status = ended() { return status }
            guard process != nil else { throw LoadFailure("\(name) does not run") }
            guard LoadClock.now < deadline else { throw LoadFailure("\(name) does not end within \(limit)") }
            usleep(1_000)
        }
    }

    func crash() throws {
        guard process != nil else { return }
        signal(SIGKILL)
        try awaitEnd()
    }

    /// - Returns: its exit status.
    @discardableResult
    func stop() throws -> Int32 {
        guard process != nil else { return 0 }
        signal(SIGCONT)
        signal(SIGTERM)
        return try awaitEnd()
    }

    /// Open files, and bytes of its store's files.
    var descriptors: Int { process.map { Files.names(in: "/proc/\($0.pid)/fd").count } ?? 0 }
    func bytes(of file: String) -> Int { Files.bytes("\(data)/\(file)") }
}

extension Files {
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func bytes(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
