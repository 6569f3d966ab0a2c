internal import ArgumentParser
internal import Federation
internal import Glibc
internal import Vocabulary

/// Speaks the line protocol of the reference implementation's test suite (hoytech/negentropy, test/), over the set and the engine
/// that the directory uses, so that it can be run against the implementations in other languages.
struct NegentropyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "negentropy",
        abstract: "Reconcile a set with another implementation, over lines on stdin and stdout.",
        usage: "FRAMESIZELIMIT=60000 workbench negentropy",
        discussion: """
            In:  item,CREATED,HEXID   seal   initiate   msg,HEX
            Out: msg,HEX   have,HEXID   need,HEXID   done
            FRAMESIZELIMIT in the environment bounds a message, in bytes: 0 (the default) for no bound, or 4096 and more.
            """)

    func run() throws {
        do {
            var harness = NegentropyHarness(try Negentropy(frameBytesMax: try frameLimit()))
            while let line = readLine() {
                let answers = try harness.take(line)
                for answer in answers { print(answer) }
                // A pipe is not line-buffered, and the other side waits for the answer.
                if !answers.isEmpty { fflush(nil) }
            }
        } catch let error as NegentropyError {
            fflush(nil)
            let text = Array("\(error.explanation)\n".utf8)
            _ = write(STDERR_FILENO, text, text.count)
            throw ExitCode(65)
        }
    }

    private func frameLimit() throws -> Int {
        guard let raw = getenv("FRAMESIZELIMIT") else { return 0 }
        let text = String(cString: raw)
        guard !text.isEmpty else { return 0 }
        guard let limit = Int(text) else { throw ValidationError("FRAMESIZELIMIT is no number of bytes: \(Printable.line(text))") }
        return limit
    }
}

/// One line in, its answers out.
struct NegentropyHarness {
    private let engine: Negentropy
    private var items: [NegentropyItem] = []
    private var set = NegentropySet()
    private var isInitiator = false

    init(_ engine: Negentropy) { self.engine = engine }

    mutating func take(_ line: String) throws -> [String] {
        let fields = line.split(separator: ",", omittingEmptySubsequences: false)
        switch (fields.first, fields.count) {
        case ("", 1): return []
        case ("item", 3):
            guard let created = UInt64(fields[1]), created < .max, let bytes = Hex.decode(fields[2]), let id = Bytes32(bytes) else {
                throw ValidationError("no item: \(Printable.line(line))")
            }
            items.append(NegentropyItem(timestamp: created, id: id))
            return []
        case ("seal", 1):
            set = NegentropySet(items)
            guard set.count == items.count else { throw ValidationError("an item was given twice") }
            items = []
            return []
        case ("initiate", 1):
            isInitiator = true
            return ["msg,\(Hex.encode(engine.initiate(set)))"]
        case ("msg", 1), ("msg", 2):
            guard let message = Hex.decode(fields.count == 2 ? fields[1] : "") else { throw ValidationError("a message that is not hex") }
            guard isInitiator else { return ["msg,\(Hex.encode(try engine.respond(to: message, with: set)))"] }
            let (next, differences) = try engine.proceed(with: message, set)
            return differences.have.map { "have,\(Hex.encode($0.bytes))" } + differences.need.map { "need,\(Hex.encode($0.bytes))" }
                + [next.map { "msg,\(Hex.encode($0))" } ?? "done"]
        default: throw ValidationError("an unknown command: \(Printable.line(line))")
        }
    }
}
