import Dispatch
import Foundation
import Glibc

/// What the demo makes and must take away again: a temporary folder and its child processes.
///
/// `@unchecked`: a signal ends the stage from another thread, so every use of `children` holds the lock.
final class DemoStage: @unchecked Sendable {
    let folder: String
    private let posthouse: String
    private let courier: String
    private let lock = NSLock()
    private var children: [DemoProcess] = []
    private var signals: [any DispatchSourceSignal] = []
    /// Everything is shown: a signal is the wanted end.
    private var isComplete = false

    init() throws(DemoFailure) {
        guard let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            throw DemoFailure("/proc/self/exe cannot be read: the demo needs it to find its own program")
        }
        posthouse = program
        courier = (program as NSString).deletingLastPathComponent + "/courier"
        guard access(courier, X_OK) == 0 else { throw DemoFailure("there is no \(courier): build it too (swift build --product courier)") }
        // Sockets have short names, so a long TMPDIR is passed over.
        let wanted = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array(((wanted.utf8.count < 40 ? wanted : "/tmp") + "/posthouse-demo.XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw DemoFailure("no temporary folder can be made: \(String(cString: strerror(errno)))") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Glibc.signal(SIGPIPE, SIG_IGN)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            Glibc.signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [unowned self] in end(exitCode: isComplete ? 0 : 128 + number) }
            source.resume()
            signals.append(source)
        }
    }

    // MARK: Processes

    func path(_ name: String) -> String { folder + "/" + name }

    func posthouseArguments(_ arguments: [String]) -> [String] { [posthouse] + arguments }
    func courierArguments(_ arguments: [String], profile: String) -> [String] { [courier] + arguments + ["--profile", path(profile)] }

    /// Starts a process that goes on.
    func start(_ name: String, _ arguments: [String]) throws(DemoFailure) -> DemoProcess {
        lock.lock()
        defer { lock.unlock() }
        let process = try DemoProcess(name, arguments, output: path(name + ".out"), log: path(name + ".log"))
        children.append(process)
        return process
    }

    /// Runs a command to its end.
    /// - Returns: the lines that it printed.
    func run(_ name: String, _ arguments: [String]) throws(DemoFailure) -> [String] {
        let output = path("commands.out")
        unlink(output)
        lock.lock()
        let process: DemoProcess
        do throws(DemoFailure) {
            process = try DemoProcess(name, arguments, output: output, log: path("commands.log"))
        } catch {
            lock.unlock()
            throw error
        }
        children.append(process)
        lock.unlock()
        try wait("`\(name)` to end") { !process.isRunning }
        guard process.status == 0 else { throw DemoFailure("`\(name)` ended with exit code \(process.status ?? -1)") }
        return process.lines
    }

    /// Looks again and again until it has come true.
    /// - Returns: how long that took, in milliseconds.
    /// - Throws: when it takes too long, or at once what `isTrue` throws as a `DemoFailure`; its other errors pass while it waits.
    @discardableResult
    func wait(_ what: String, seconds: Double = 10, until isTrue: () throws -> Bool) throws(DemoFailure) -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        while true {
            lock.lock()
            let result = Result { try isTrue() }
            lock.unlock()
            let elapsed = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
            if case .success(true) = result { return elapsed }
            if case .failure(let error as DemoFailure) = result { throw error }
            if elapsed > seconds * 1000 {
                if case .failure(let error) = result { throw DemoFailure("waited \(Int(seconds)) s for \(what): \(error)") }
                throw DemoFailure("waited \(Int(seconds)) s for \(what)")
            }
            usleep(2000)
        }
    }

    func send(_ number: Int32, to process: DemoProcess) throws(DemoFailure) {
        lock.lock()
        process.signal(number)
        lock.unlock()
        try wait("\(process.name) to end") { !process.isRunning }
    }

    // MARK: The end

    /// The last lines of every log, for a failure.
    func logTails(_ count: Int) -> [String] {
        let logs = (try? FileManager.default.contentsOfDirectory(atPath: folder))?.filter { $0.hasSuffix(".log") }.sorted() ?? []
        return logs.flatMap { name -> [String] in
            let text = FileManager.default.contents(atPath: path(name)).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return text.split(separator: "\n").suffix(count).map { "\(name): \($0)" }
        }
    }

    /// Stays until a signal ends the stage.
    func stay() -> Never {
        lock.lock()
        isComplete = true
        lock.unlock()
        while true { pause() }
    }

    /// Ends exactly the children of this stage, removes its folder and ends the program. Also called by a signal: whoever comes first
    /// does it, and the lock is kept, so that nothing more is started.
    func end(exitCode: Int32) -> Never {
        lock.lock()
        let running = children.filter(\.isRunning)
        for child in running { child.signal(SIGTERM) }
        for _ in 0..<1500 where running.contains(where: \.isRunning) { usleep(2000) }
        for child in running where child.isRunning {
            child.signal(SIGKILL)
            while child.isRunning { usleep(1000) }
        }
        try? FileManager.default.removeItem(atPath: folder)
        exit(exitCode)
    }
}
