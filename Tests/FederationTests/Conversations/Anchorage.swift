import Cryptography
import Federation
import Groups
import MLS
import Simulation
import Testing
import Vocabulary

/// The hub of one conversation and its members: those of node 0 in sessions of the hub, those of others behind links.
struct Anchorage {
    var relay: Relay
    var members: [Sailor] = []
    /// Positions of the peers' queues for us.
    private var position: UInt64 = 100
    private(set) var message: UInt64 = 10
    let key: ConversationKey

    /// - Parameter homes: of each member; member 0 lives at the hub.
    init(homes: [Int], nodes: Int = 3) throws {
        var coast = Coast(nodes: nodes)
        for (index, home) in homes.enumerated() {
            let person = try coast.person("m\(index)", at: home)
            members.append(Sailor(person, session: home == 0 ? UInt64(index + 1) : 0, seed: UInt64(500 + index)))
        }
        relay = try coast.relay(0)
        key = ConversationKey(hub: relay.id, conversation: .numbered(1))
        for node in 1..<nodes { try relay.link(UInt64(node) * 1_000, to: Coast.id(node)) }
        for member in members where member.session > 0 { try relay.signIn(member.person, as: member.session) }
    }

    /// A group that member 0 founded with these in it.
    static func group(_ homes: [Int], nodes: Int = 3, profile: GroupProfile? = nil) throws -> Anchorage {
        var anchorage = try Anchorage(homes: homes, nodes: nodes)
        let effects = try anchorage.submit(try anchorage.members[0].found(anchorage.key, profile), by: 0)
        #expect(effects.refusals(to: 1).isEmpty)
        if homes.count > 1 { try anchorage.add(Array(1..<homes.count), by: 0) }
        return anchorage
    }

    /// A direct conversation of members 0 and 1.
    static func direct(_ homes: [Int] = [0, 0]) throws -> Anchorage {
        var anchorage = try Anchorage(homes: homes)
        let profile = GroupProfile.direct(anchorage.members[0].person.id, anchorage.members[1].person.id)
        try anchorage.submit(try anchorage.members[0].found(anchorage.key, profile), by: 0)
        try anchorage.add([1], by: 0)
        return anchorage
    }

    var conversation: ConversationID { key.conversation }
    var epoch: UInt64 { relay.core.hubEpoch(conversation)?.value ?? 999 }

    mutating func nextMessage() -> UInt64 {
        message += 1
        return message
    }

    // MARK: Acting

    /// Hands a submission in, by a session or over the link of its home, and what follows to everybody.
    @discardableResult
    mutating func submit(_ submission: Submission, by index: Int, feeding: Bool = true) throws -> [NodeEffect] {
        let member = members[index]
        let effects: [NodeEffect]
        if member.session > 0 {
            effects = try relay.submit(submission, in: member.session)
        } else {
            position += 1
            effects = try relay.receive(.submission(submission, sender: member.entry), at: position, on: link(of: member))
        }
        if feeding { try feed(effects) }
        return effects
    }

    mutating func add(_ indices: [Int], by index: Int) throws {
        let packages = try indices.map { try members[$0].package() }
        let submission = try members[index].commit(packages.map { .add($0) }, message: nextMessage())
        let effects = try submit(submission, by: index)
        try #require(refusals(effects).isEmpty)
    }

    @discardableResult
    mutating func say(_ text: String, by index: Int) throws -> [NodeEffect] {
        try submit(try members[index].say(text, message: nextMessage()), by: index)
    }

    @discardableResult
    mutating func remove(_ target: Int, by index: Int) throws -> [NodeEffect] {
        let leaf = try members[index].leaf(of: members[target].person)
        return try submit(try members[index].commit([.remove(leaf)], message: nextMessage()), by: index)
    }

    /// What each member gets, it takes.
    mutating func feed(_ effects: [NodeEffect]) throws {
        for index in members.indices { try members[index].take(items(effects, for: index)) }
    }

    func items(_ effects: [NodeEffect], for index: Int) -> [DeviceItem] {
        let member = members[index]
        if member.session > 0 { return effects.items(to: member.session) }
        return effects.items(on: link(of: member)).compactMap { item in
            switch item {
            case .event(let envelope, let recipients): recipients.contains(member.device) ? .event(envelope) : nil
            case .accepted(let acceptance, member.device): .accepted(acceptance)
            case .failed(let failure, member.device): .failed(failure)
            case .receipt(let watermark, let devices): devices.contains(member.device) ? .watermark(watermark) : nil
            case .welcome(let part, let recipients): recipients.contains(member.device) ? .welcome(part) : nil
            case .marked(let mark, let devices): devices.contains(member.device) ? .mark(mark) : nil
            default: nil
            }
        }
    }

    /// Every refusal that anybody is told, in a frame or as an entry.
    func refusals(_ effects: [NodeEffect]) -> [Refusal] {
        effects.compactMap { effect in
            switch effect {
            case .sendSession(_, .refusedMessage(_, let refusal)), .sendSession(_, .refusedRequest(_, let refusal)): refusal
            case .sendSession(_, .entry(_, .failed(let failure))): failure.refusal
            case .sendLink(_, .entry(_, .failed(let failure, _))): failure.refusal
            default: nil
            }
        }
    }

    @discardableResult
    mutating func acknowledge(_ index: Int) throws -> [NodeEffect] {
        let watermark = try members[index].watermark()
        let effects: [NodeEffect]
        if members[index].session > 0 {
            effects = try relay.acknowledge(0, [watermark], in: members[index].session)
        } else {
            position += 1
            effects = try relay.receive(.watermark(watermark), at: position, on: link(of: members[index]))
        }
        return effects
    }

    mutating func send(_ item: NodeItem, from node: Int) throws -> [NodeEffect] {
        position += 1
        return try relay.receive(item, at: position, on: UInt64(node) * 1_000)
    }

    func link(of member: Sailor) -> UInt64 {
        for node in 1..<10 where Coast.site(node).id == member.person.issuer.id { return UInt64(node) * 1_000 }
        return 0
    }

    /// The hub dies and comes back; sessions sign in again, links are made anew.
    @discardableResult
    mutating func restart(nodes: Int = 3) throws -> [NodeEffect] {
        try relay.restart()
        var effects: [NodeEffect] = []
        for node in 1..<nodes { effects += try relay.link(UInt64(node) * 1_000, to: Coast.id(node)) }
        for member in members where member.session > 0 { effects += try relay.signIn(member.person, as: member.session) }
        return effects
    }

    /// Time passes; sessions speak now and then, as clients do.
    @discardableResult
    mutating func wait(_ duration: Duration, step: Duration = .seconds(50)) throws -> [NodeEffect] {
        var effects: [NodeEffect] = []
        let end = relay.now + duration
        while relay.now < end {
            for member in members where member.session > 0 { effects += try relay.step(.sessionFrame(SessionID(member.session), .ping(1))) }
            effects += try relay.wait(step)
        }
        return effects
    }

    var held: Int { get throws { try relay.store.heldEvents(key, after: .zero, bytesMax: .max).events.count } }

    /// Everybody is in the same epoch with the same secrets.
    func agree(_ indices: [Int]) throws -> Bool {
        let authenticators = try indices.map { try members[$0].mine.epochAuthenticator }
        return Set(authenticators).count == 1
    }
}

extension MemoryStore {
    /// What a hub keeps of conversations.
    var conversations: [StoreTable: [[UInt8]: [UInt8]]] {
        values.filter { [.conversation, .group, .head, .watermark, .pendingWatermark].contains($0.key) }
    }
}
