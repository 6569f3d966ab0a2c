internal import Cryptography
internal import Glibc
internal import Histories
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
internal import Transport
internal import Vocabulary

/// All users of a run, on some event loops: who writes to whom, and whether all of it has come to an end.
///
/// For one thread, apart from what the users do on their loops.
final class ProofFleet {
    let history: ProofHistory
    private(set) var users: [ProofUser] = []
    private(set) var groups: [(id: ConversationID, founder: ProofUser)] = []
    private let progress = ProofUser.Progress()
    private let threads: MultiThreadedEventLoopGroup
    private let signatures = LoadGroupSignatures()
    private let tls: NIOSSLContext
    private let seed: UInt64
    var pace = ProofUser.Pace()
    private var isSending = false

    init(history: ProofHistory, threads: Int = 2, seed: UInt64) throws {
        (self.history, self.seed) = (history, seed)
        self.threads = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        tls = try TLSContexts.client()
    }

    func stop() {
        for user in users { user.loop.execute { user.stop() } }
        usleep(100_000)
        try? threads.syncShutdownGracefully()
    }

    // MARK: Who there is

    /// A user that begins to register, at once.
    @discardableResult
    func add(home: Int, link: InvitationLink) throws -> ProofUser {
        let user = try ProofUser(
            index: users.count, home: home, link: link, tls: tls, loop: threads.next(), signatures: signatures, seed: seed,
            history: history, progress: progress)
        users.append(user)
        user.loop.execute { user.start() }
        return user
    }

    /// Why somebody was refused for good.
    var refused: String? { progress.refused.withLock { $0 } }

    var registered: Int { progress.registered.load(ordering: .relaxed) }

    func awaitRegistered(within limit: Duration = .seconds(60)) throws {
        try wait("registered", within: limit) { self.registered >= self.users.count }
    }

    /// - Throws: when it does not hold in time.
    func wait(_ what: String, within limit: Duration, until holds: () throws -> Bool) throws {
        let deadline = LoadClock.now + limit
        while try !holds() {
            if let refused { throw LoadFailure("\(what): refused: \(refused)") }
            guard LoadClock.now < deadline else { throw LoadFailure("\(what): not within \(limit)") }
            usleep(2_000)
        }
    }

    func address(of user: ProofUser) throws -> Address {
        guard let address = try user.loop.submit({ user.address }).wait() else { throw LoadFailure("user \(user.index) has no address") }
        return address
    }

    /// Two who write to each other.
    func acquaint(_ one: ProofUser, _ two: ProofUser) throws {
        let (first, second) = (try address(of: one), try address(of: two))
        one.loop.execute { one.know([second]) }
        two.loop.execute { two.know([first]) }
    }

    /// A group of these, the first its founder; all write into it once they are in.
    func found(_ name: String, _ members: [ProofUser]) throws {
        guard let founder = members.first else { return }
        let addresses = try members.dropFirst().map { try address(of: $0) }
        let before = try founder.loop.submit({ founder.groups.count }).wait()
        founder.loop.execute { founder.found(name, with: addresses) }
        try wait("group \(name)", within: .seconds(60)) { try founder.loop.submit({ founder.groups.count }).wait() > before }
        guard let id = try founder.loop.submit({ founder.groups.last }).wait() else { return }
        for member in members.dropFirst() {
            try wait("\(name), for user \(member.index)", within: .seconds(60)) {
                try member.loop.submit({ member.entered.contains(id) }).wait()
            }
        }
        groups.append((id, founder))
        for member in members { member.loop.execute { member.write(into: id) } }
    }

    /// KeyPackages that were handed out, and those that were more than once.
    var keyPackages: (all: Int, doubled: Int) { progress.packages.withLock { ($0.count, $0.values.count { $0 > 1 }) } }

    // MARK: Traffic

    func send() { setSending(true) }
    func pause() { setSending(false) }

    private func setSending(_ flag: Bool) {
        isSending = flag
        for user in users { user.loop.execute { [pace] in user.setSending(flag, pace) } }
    }

    /// One more writes, as the others do.
    func join(_ user: ProofUser) { if isSending { user.loop.execute { [pace] in user.setSending(true, pace) } } }

    /// Users of this node who wait before they dial again dial now.
    func hurry(home: Int? = nil) {
        for user in users where home == nil || user.home == home { user.loop.execute { user.hurry() } }
    }

    /// What the devices found strange, and how often.
    var remarks: [String: Int] { progress.remarks.withLock { $0 } }

    var settled: Int { progress.settled.load(ordering: .relaxed) }

    /// Stops writing and waits until all that was written has come to an end.
    ///
    /// - Parameter limit: without any progress.
    /// - Returns: how long it took; nil: it did not end.
    func converge(within limit: Duration) throws -> Duration? {
        pause()
        let start = LoadClock.now
        var (last, lastChange) = (-1, start)
        var told = start
        while true {
            let open = try users.reduce(0) { sum, user in sum + (try user.loop.submit { user.openCount }.wait()) }
            if open == 0 { break }
            let now = LoadClock.now
            if ProofUser.isVerbose, now >= told {
                note("\(Double((now - start).nanoseconds / 1_000_000) / 1e3) s: \(open) messages have no end yet")
                for user in users where open <= 20 {
                    let (count, text) = try user.loop.submit { (user.openCount, user.stuck) }.wait()
                    if count > 0 { note(text) }
                }
                told = now + .seconds(1)
            }
            if settled != last { (last, lastChange) = (settled, now) }
            guard now - lastChange < limit else {
                for user in users {
                    let (count, text) = try user.loop.submit { (user.openCount, user.stuck) }.wait()
                    if count > 0 { note("stuck: \(text)") }
                }
                return nil
            }
            for user in users { user.loop.execute { user.acceptPartners() } }
            usleep(20_000)
        }
        let took = LoadClock.now - start
        // Heads and receipts of those who only listen, and what changes without a message: until nothing happens any more.
        var (events, quietSince) = (history.counts.events, LoadClock.now)
        while LoadClock.now - quietSince < .milliseconds(500), LoadClock.now - start < took + .seconds(15) {
            usleep(20_000)
            let now = history.counts.events
            if now != events { (events, quietSince) = (now, LoadClock.now) }
        }
        return took
    }
}
