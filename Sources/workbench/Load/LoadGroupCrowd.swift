internal import Cryptography
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import Transport
internal import Vocabulary

/// The members of one group over some nodes, and what they have told.
final class LoadGroupCrowd {
    let members: [LoadGroupMember]
    private let tally: Tally
    private let threads: MultiThreadedEventLoopGroup
    let federation: LoadFederation
    var random: SeededGenerator

    /// The member with index i lives at node `i % nodes`.
    init(count: Int, on federation: LoadFederation, threads: Int, seed: UInt64) throws {
        let (tally, signatures, tls) = (Tally(count), LoadGroupSignatures(), try TLSContexts.client())
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let nodes = federation.nodes.count
        let links = try (0..<nodes).map { try federation.invitation(at: $0, uses: count) }
        members = try (0..<count).map { index in
            try LoadGroupMember(
                index: index, node: index % nodes, link: links[index % nodes], tls: tls, loop: loops.next(), signatures: signatures,
                seed: seed
            ) { tally.heard($0, $1) }
        }
        (self.tally, self.federation, self.threads, random) = (tally, federation, loops, SeededGenerator(seed: ~seed))
    }

    func stop() {
        for member in members { member.loop.execute { member.stop() } }
        usleep(100_000)
        try? threads.syncShutdownGracefully()
    }

    // MARK: Waiting

    /// - Parameter progress: rises; standing still for a minute is a failure.
    func wait(_ what: String, until goal: Int, _ progress: (Tally.State) -> Int) throws {
        var (last, lastChange, lastNote) = (-1, LoadClock.now, LoadClock.now)
        while last < goal {
            let (now, count) = (LoadClock.now, tally.state.withLock { progress($0) })
            if count != last { (last, lastChange) = (count, now) }
            if count >= goal { return }
            guard now - lastChange < .seconds(60) else {
                throw LoadFailure("\(what): stands still at \(count) of \(goal); \(troubles.isEmpty ? "no trouble told" : "\(troubles)")")
            }
            if now - lastNote > .seconds(2) {
                lastNote = now
                note("\(what): \(count) of \(goal)")
            }
            usleep(500)
        }
    }

    var troubles: [String: Int] { tally.state.withLock { $0.troubles } }
    var group: ConversationID? { tally.state.withLock { $0.group } }
    var arrived: Int { tally.state.withLock { $0.arrived } }
    var delivered: Int { tally.state.withLock { $0.delivered.count } }
    func head(of member: Int) -> UInt64 { tally.state.withLock { $0.heads[member] } }

    // MARK: What they do

    func register(pending: Int) throws {
        var next = 0
        while next < members.count {
            let done = tally.state.withLock { $0.registered }
            while next < members.count, next - done < pending {
                let member = members[next]
                member.loop.execute { member.start() }
                next += 1
            }
            try wait("registered", until: min(next, done + 1)) { $0.registered }
        }
        try wait("registered", until: members.count) { $0.registered }
    }

    /// - Returns: seconds until the last had joined, and until all were in the same epoch.
    func create() throws -> (joined: Double, settled: Double, commits: Int) {
        let addresses = try members.map { member in
            guard let address = try member.loop.submit({ member.address }).wait() else { throw LoadFailure("a user without address") }
            return address
        }
        let founder = members[0]
        let start = LoadClock.now
        founder.loop.execute { founder.create("load", with: Array(addresses.dropFirst())) }
        try wait("joined", until: members.count) { state in state.heads.count { $0 > 0 } }
        let joined = LoadClock.now
        try wait("the founder", until: 1) { $0.groupsDone }
        try settle()
        let commits = tally.state.withLock { Int(clamping: $0.heads.max() ?? 0) }
        return (Self.seconds(joined - start), Self.seconds(LoadClock.now - start), commits)
    }

    /// All who are there have all.
    func settle(except away: Int? = nil) throws {
        try wait("in the same epoch", until: members.count - (away == nil ? 0 : 1)) { state in
            let top = state.heads.max() ?? 0
            return state.heads.indices.count { $0 != away && state.heads[$0] == top }
        }
    }

    func send(from member: LoadGroupMember, bytes: Int) throws -> MessageID {
        guard let group else { throw LoadFailure("there is no group") }
        let message = MessageID.random(using: &random)
        let text = String(repeating: "x", count: bytes)
        tally.state.withLock { $0.sent[message] = LoadClock.now }
        member.loop.execute { member.send(text, to: group, as: message) }
        return message
    }

    func renameByFounder(to name: String) throws {
        guard let group else { throw LoadFailure("there is no group") }
        let founder = members[0]
        founder.loop.execute { founder.rename(group, to: name) }
    }

    /// - Returns: from sending to the last of `count` arrivals, and to `delivered` at the sender where it came, in nanoseconds.
    func times(of message: MessageID) -> (all: Int64?, delivered: Int64?) {
        tally.state.withLock { state in
            guard let sent = state.sent[message] else { return (nil, nil) }
            return (state.last[message].map { ($0 - sent).nanoseconds }, state.delivered[message].map { ($0 - sent).nanoseconds })
        }
    }

    /// For each node: bytes of frames that it has sent to other nodes, as its counter less what its clients have received has it.
    func linkBytes() throws -> [Int] {
        try federation.nodes.indices.map { node in
            let sent = try federation.number("frame_bytes_sent", of: node)
            return try sent - received(from: node)
        }
    }

    func received(from node: Int) throws -> Int {
        try members.filter { $0.node == node }.reduce(0) { sum, member in try sum + member.loop.submit { member.bytesReceived }.wait() }
    }

    static func seconds(_ duration: Duration) -> Double { Double(duration.nanoseconds) / 1e9 }

    /// What the members have told, from all event loops.
    final class Tally: Sendable {
        struct State {
            var registered = 0
            var group: ConversationID?
            var heads: [UInt64]
            var groupsDone = 0
            var sent: [MessageID: Instant] = [:]
            var arrivals: [MessageID: Int] = [:]
            var arrived = 0
            var last: [MessageID: Instant] = [:]
            var accepted = 0
            var delivered: [MessageID: Instant] = [:]
            var arrivedAt: [Int]
            var troubles: [String: Int] = [:]
        }
        let state: Mutex<State>

        init(_ members: Int) {
            state = Mutex(State(heads: Array(repeating: 0, count: members), arrivedAt: Array(repeating: 0, count: members)))
        }

        func heard(_ member: LoadGroupMember, _ event: LoadGroupMember.Event) {
            state.withLock { state in
                switch event {
                case .registered: state.registered += 1
                case .reached(let group, let number):
                    state.group = group
                    state.heads[member.index] = number.value
                case .arrived(let message):
                    state.arrivals[message, default: 0] += 1
                    state.arrived += 1
                    state.arrivedAt[member.index] += 1
                    state.last[message] = LoadClock.now
                case .state(let message, .delivered): state.delivered[message] = LoadClock.now
                case .state(_, .accepted): state.accepted += 1
                case .state: break
                case .groupDone(let waiting):
                    state.groupsDone += 1
                    if waiting > 0 { state.troubles["not yet added", default: 0] += waiting }
                case .trouble(let what): state.troubles[what, default: 0] += 1
                }
            }
        }
    }
}
