internal import ArgumentParser
internal import Cryptography
internal import Dispatch
internal import Glibc
internal import MLS

/// Measures the library as a program uses it: messages in and out as bytes, one thread, no storage.
struct MLSBenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mls-bench",
        abstract: "Measure MLS operations; one JSON object a line: suite, operation, n, median ms, bytes.",
        discussion: "cold: all members were added by one commit without a path. warm: members all over the tree have committed since.")

    @Option(help: "Group sizes.")
    var sizes: [UInt32] = [2, 10, 100, 1000]

    @Option(help: "Cipher suites, by number.")
    var suites: [UInt16] = [1, 3]

    @Option(help: "Runs of each operation, of which the median counts.")
    var runs = 9

    func run() throws {
        for suite in suites {
            for size in sizes {
                var bench = try MLSBench(suite: CipherSuite(rawValue: suite), size: Int(size), runs: size >= 5000 ? min(runs, 3) : runs)
                try bench.run()
            }
        }
    }
}

struct MLSBench {
    let suite: CipherSuite
    let size: Int
    let runs: Int
    var random = SystemRandom()
    let host = GroupHost(now: 1_800_000_000, refusal: { _ in nil })
    var named = 0
    /// A committer and a receiver, in the one group; others exist as leaves only.
    var (ann, bob): (Group, Group)

    init(suite: CipherSuite, size: Int, runs: Int) throws {
        (self.suite, self.size, self.runs) = (suite, size, runs)
        var random = SystemRandom()
        ann = try Group.create(
            id: random.bytes(16), suite: suite, member: Self.member(0, &random), host: host, using: &random)
        let packages = try (1..<max(2, size)).map { try Self.package($0, suite, &random) }
        named = size
        var plan = CommitPlan(packages.map { .add($0.package) })
        plan.refreshesPath = false
        let pending = try ann.commit(plan, host: host, using: &random)
        try ann.merge(pending, host: host)
        // Somewhere in the middle, so that its path is as long as anybody's.
        bob = try Group.join(pending.welcome ?? [], with: packages[(packages.count - 1) / 2], host: host)
        self.random = random
        self.all = size <= 1000 ? packages : []
        self.welcome = pending.welcome ?? []
    }

    private var all: [OwnKeyPackage]
    private var welcome: [UInt8]

    static func member(_ number: Int, _ random: inout SystemRandom) throws -> MemberIdentity {
        var seed = random.bytes(32)
        return MemberIdentity(
            signer: try SignatureKeyPair(ed25519: Secret(consuming: &seed)), credential: .basic(Array("member \(number)".utf8)),
            lifetime: Lifetime(notBefore: 1_799_990_000, notAfter: 1_807_000_000))
    }

    static func package(_ number: Int, _ suite: CipherSuite, _ random: inout SystemRandom) throws -> OwnKeyPackage {
        try OwnKeyPackage.make(suite: suite, member: member(number, &random), using: &random)
    }

    mutating func run() throws {
        try commits("cold")
        if !all.isEmpty {
            try warm()
            try commits("warm")
        }
        try additions()
        if size > 2 { try removals() }
        try messages()
        try memory()
    }

    // MARK: Rows

    private mutating func commits(_ state: String) throws {
        var (make, take, bytes) = ([Double](), [Double](), 0)
        let (oldAnn, oldBob) = (ann, bob)
        for _ in 0..<runs {
            if state == "cold" { (ann, bob) = (oldAnn, oldBob) }
            let pending = try measure(&make) { () throws -> PendingCommit in
                let pending = try ann.commit(host: host, using: &random)
                try ann.merge(pending, host: host)
                return pending
            }
            bytes = pending.message.count
            _ = try measure(&take) { try bob.process(pending.message, host: host) }
        }
        report("commit with path, \(state)", make, bytes)
        report("process commit, \(state)", take, bytes)
    }

    /// Members all over the tree commit once: all of a small group, some 32 of a large one.
    private mutating func warm() throws {
        // An external commit in the place of each leaf leaves the tree as a commit of its member would.
        for index in stride(from: 1, to: size, by: max(1, size / 32)) where UInt32(index) != bob.ownLeaf {
            let join = try Group.joinExternally(
                ann.groupInfo(), as: Self.member(index, &random), replacing: UInt32(index), host: host, using: &random)
            _ = try ann.process(join.message, host: host)
            _ = try bob.process(join.message, host: host)
        }
        let pending = try bob.commit(host: host, using: &random)
        try bob.merge(pending, host: host)
        _ = try ann.process(pending.message, host: host)
    }

    private mutating func additions() throws {
        var (make, take, join, bytes, joinBytes) = ([Double](), [Double](), [Double](), 0, 0)
        var joinSpread: [Double] = []
        var spreading = host
        spreading.spread = { pieces, work in DispatchQueue.concurrentPerform(iterations: pieces, execute: work) }
        for _ in 0..<runs {
            let own = try Self.package(named, suite, &random)
            named += 1
            let published = own.published
            let (oldAnn, oldBob) = (ann, bob)
            let pending = try measure(&make) { () throws -> PendingCommit in
                var plan = CommitPlan([.add(try KeyPackage.fetched(published, host: host))])
                plan.refreshesPath = false
                let pending = try ann.commit(plan, host: host, using: &random)
                try ann.merge(pending, host: host)
                return pending
            }
            (bytes, joinBytes) = (pending.message.count, pending.welcome?.count ?? 0)
            _ = try measure(&take) { try bob.process(pending.message, host: host) }
            _ = try measure(&join) { try Group.join(pending.welcome ?? [], with: own, host: host) }
            if size >= 100 { _ = try measure(&joinSpread) { try Group.join(pending.welcome ?? [], with: own, host: spreading) } }
            (ann, bob) = (oldAnn, oldBob)
        }
        report("add 1 member (no path)", make, bytes)
        report("process that add", take, bytes)
        report("join by Welcome", join, joinBytes)
        if size >= 100 { report("join by Welcome, all cores", joinSpread, joinBytes) }
    }

    private mutating func removals() throws {
        var (make, bytes) = ([Double](), 0)
        let leaves = ann.members.map(\.index).filter { $0 != ann.ownLeaf && $0 != bob.ownLeaf }
        for index in 0..<runs {
            let old = ann
            let pending = try measure(&make) { () throws -> PendingCommit in
                let plan = CommitPlan([.remove(leaves[index * 7 % leaves.count])])
                let pending = try ann.commit(plan, host: host, using: &random)
                try ann.merge(pending, host: host)
                return pending
            }
            bytes = pending.message.count
            ann = old
        }
        report(all.isEmpty ? "remove 1 (cold)" : "remove 1 (warm)", make, bytes)
    }

    private mutating func messages() throws {
        var (seal, open, bytes) = ([Double](), [Double](), 0)
        let data = random.bytes(1024)
        for _ in 0..<max(runs, 101) {
            let sealed = try measure(&seal) { try ann.seal(data, using: &random) }
            bytes = sealed.count
            _ = try measure(&open) { try bob.process(sealed, host: host) }
        }
        report("encrypt 1 KiB", seal, bytes)
        report("decrypt 1 KiB", open, bytes)
        let delta = bob.takeChanges()
        report("stored state", [], bob.stored.encoded.count)
        _ = delta
    }

    /// What a group of this size adds to the process: restored copies, which share nothing with each other.
    private mutating func memory() throws {
        var store = StoredGroup()
        store.apply(ann.stored)
        let copies = 8
        var groups = [try Group(restoring: store)]
        let before = Self.residentBytes
        for _ in 0..<copies { groups.append(try Group(restoring: store)) }
        report("memory of a group", [], (Self.residentBytes - before) / copies)
        if let last = groups.last { ann = last }
    }

    private static var residentBytes: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, 256, file) != nil else { return 0 }
        let text = String(decoding: line.map { UInt8(bitPattern: $0) }.prefix { $0 != 0 }, as: UTF8.self)
        return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4096
    }

    // MARK: Clock

    private func measure<T>(_ times: inout [Double], _ body: () throws -> T) rethrows -> T {
        var (start, end) = (timespec(), timespec())
        clock_gettime(CLOCK_MONOTONIC, &start)
        let result = try body()
        clock_gettime(CLOCK_MONOTONIC, &end)
        times.append(Double(end.tv_sec - start.tv_sec) * 1e3 + Double(end.tv_nsec - start.tv_nsec) / 1e6)
        return result
    }

    private func report(_ operation: String, _ times: [Double], _ bytes: Int) {
        let sorted = times.sorted()
        let median = sorted.isEmpty ? "null" : String(Int(sorted[sorted.count / 2] * 10_000)).padded
        print(
            #"{"v":1,"library":"posthouse","suite":\#(suite.rawValue),"operation":"\#(operation)","n":\#(size),"ms":\#(median),"bytes":\#(bytes)}"#
        )
        fflush(nil)
    }
}

extension String {
    /// Ten-thousandths as a decimal fraction, without Foundation.
    fileprivate var padded: String {
        let digits = String(repeating: "0", count: max(0, 5 - count)) + self
        return "\(digits.dropLast(4)).\(digits.suffix(4))"
    }
}
