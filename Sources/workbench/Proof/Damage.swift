internal import Cryptography
internal import Foundation
internal import Glibc
internal import Histories
internal import Vocabulary

/// A node's files with a bit turned, a page gone, or a tail cut off: each copy either starts and lacks nothing, or the node says what is wrong
/// and how to mend it. What comes to the recipient is looked at with a copy of the recipient's profile.
enum Damage: ProofScenario {
    static let name = "damage"
    static let about = "bits turned, pages zeroed and tails cut off in journal, log and database: refused with a remedy, or harmless"
    static let secondsMin = 20
    static let share = 2

    /// What a folder was like when it was put by.
    private struct Sample { let name: String, folder: String }

    private enum Wound: CaseIterable {
        case bit, page, tail
        var text: String { "\(self)" }
    }

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        try federation.start(["harbor"])
        let node = federation.nodes[0]
        let history = ProofHistory(file: world.historyFile)
        let (alice, bob) = try CourierUser.pair(at: federation, world, history)
        var samples: [Sample] = []
        func put(by name: String) throws {
            try world.tool("cp", "-a", node.data, "\(world.folder)/\(name)")
            samples.append(Sample(name: name, folder: "\(world.folder)/\(name)"))
        }
        var texts: Set<String> = []
        func send(_ count: Int) throws {
            for _ in 0..<count {
                texts.insert("text \(texts.count)")
                try alice.send("text \(texts.count - 1)", to: bob)
            }
        }
        try send(12)
        // In the tables, the journal empty.
        usleep(1_500_000)
        try node.crash()
        try put(by: "settled")
        try node.start()
        try send(12)
        // The last of it in the journal.
        try node.crash()
        try put(by: "journaled")
        // In the log of the tables and in both halves of the journal: killed on the way from one to the other.
        node.faults.arm(.kill, ahead: 22, kinds: .changes)
        try node.launch()
        _ = try node.awaitEndOrReady()
        try node.crash()
        try put(by: "folding")
        let wanted = texts

        var random = world.random(3)
        var outcomes: [String: Int] = [:]
        var cells = 0
        while !world.isOver {
            // The first texts are in the first sample only.
            let sample = samples[cells % samples.count]
            let expected = sample.name == "settled" ? wanted.filter { Int($0.dropFirst(5)) ?? 99 < 12 } : wanted
            let files = ["journal", "store.db", "store.db-wal"].filter { !Cell.written("\(sample.folder)/\($0)").isEmpty }
            let file = files[cells / samples.count % files.count]
            let wound = Wound.allCases[Int.random(in: 0..<3, using: &random)]
            cells += 1
            let cell = try Cell(number: cells, sample: sample.folder, file: file, world, node, random: &random, wound: wound.text)
            defer { cell.remove(world) }
            let outcome = try cell.judge(bob, alice, expected: expected, world)
            outcomes["\(file)_\(outcome.name)", default: 0] += 1
            if let complaint = outcome.complaint { part.violate("\(sample.name), \(file), \(cell.what): \(complaint)") }
        }
        part.add("damaged_copies", cells)
        for (what, count) in outcomes.sorted(by: { $0.key < $1.key }) { part.add(what, count) }
    }

    struct Outcome {
        let name: String
        var complaint: String?
    }

    /// One damaged copy.
    private struct Cell {
        let what: String
        private let folder: String
        private let node: ProofNode

        init(
            number: Int, sample: String, file: String, _ world: ProofWorld, _ node: ProofNode, random: inout SeededGenerator, wound: String
        ) throws {
            self.node = node
            folder = "\(world.folder)/cell-\(number)"
            try world.tool("cp", "-a", sample, folder)
            let path = "\(folder)/\(file)"
            guard let stream = fopen(path, "r+") else { throw LoadFailure("\(path): \(String(cString: strerror(errno)))") }
            defer { fclose(stream) }
            let places = Self.written(path)
            guard let page = places.randomElement(using: &random) else { throw LoadFailure("\(path) is empty") }
            switch wound {
            case "bit":
                let offset = page + Int.random(in: 0..<4096, using: &random)
                fseek(stream, offset, SEEK_SET)
                let byte = max(0, fgetc(stream))
                fseek(stream, offset, SEEK_SET)
                fputc(byte ^ (1 << Int32.random(in: 0..<8, using: &random)), stream)
                what = "a bit of byte \(offset)"
            case "page":
                fseek(stream, page, SEEK_SET)
                for _ in 0..<4096 { fputc(0, stream) }
                what = "the page at \(page) zeroed"
            default:
                fflush(stream)
                let size = page + Int.random(in: 0..<4096, using: &random)
                guard ftruncate(fileno(stream), size) == 0 else { throw LoadFailure("\(path) cannot be cut") }
                what = "cut off at \(size)"
            }
        }

        /// Pages that are not zeros.
        static func written(_ path: String) -> [Int] {
            guard let data = FileManager.default.contents(atPath: path) else { return [] }
            return stride(from: 0, to: data.count, by: 4096).filter { start in
                data[start..<min(start + 4096, data.count)].contains { $0 != 0 }
            }
        }

        func judge(_ bob: CourierUser, _ alice: CourierUser, expected: Set<String>, _ world: ProofWorld) throws -> Outcome {
            let profile = "\(folder).profile"
            try world.tool("cp", "-a", bob.profile, profile)
            let copy = try ProofNode(name: node.name, data: folder, folder: world.folder, running: world.running)
            defer { try? copy.crash() }
            unlink(copy.log)
            try copy.launch()
            if let status = try copy.awaitReady() { return refusal(status, copy.lastWords) }
            var got: Set<String> = []
            let deadline = LoadClock.now + .seconds(3)
            while got.count < expected.count, LoadClock.now < deadline, copy.ended() == nil {
                _ = try bob.courier(["receive", "--json"], profile: profile)
                got = Set(try bob.lines(with: alice, profile: profile).compactMap { $0["text"] as? String }).intersection(expected)
            }
            let words = copy.lastWords
            if got.count == expected.count { return Outcome(name: "harmless") }
            if copy.process == nil { return refusal(74, words) }
            // It serves without some of what was acknowledged: then it must have said so.
            if words.contains("error") || words.contains("warning") { return Outcome(name: "said_what_is_lost") }
            return Outcome(
                name: "SILENT", complaint: "the node serves, lacks \(expected.count - got.count) messages, and says nothing: \(words)")
        }

        private func refusal(_ status: Int32, _ words: String) -> Outcome {
            guard status < 128, words.contains("why: "), words.contains("remedy: ") else {
                return Outcome(name: "DIED", complaint: "the node ended with \(status), without why and remedy: \(words)")
            }
            return Outcome(name: "refused")
        }

        func remove(_ world: ProofWorld) { _ = try? world.tool("rm", "-rf", folder, "\(folder).profile") }
    }
}

extension ProofNode {
    func awaitEndOrReady() throws -> Int32? { try awaitReady() }
}
