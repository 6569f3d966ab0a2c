internal import ClientCore
internal import Cryptography
internal import Groups
internal import MLS
internal import Simulation
internal import Vocabulary

/// A device in a group and in direct conversations, and what its home, the hub and another member may say to it in any order, while its user
/// goes on. A step's kind says who acts.
struct DeviceTarget: FuzzTarget {
    private let scene: HonestWorld
    private let forger: Forger
    private let device: Device
    private let insider: Group
    let seeds: [[UInt8]]
    var takesScripts: Bool { true }

    /// The device that is attacked: of user 1, whose home is node 1; node 0 is the group's hub.
    static let victim = 1

    enum Kind: UInt8, CaseIterable {
        /// The home says a frame, as it is.
        case says = 0
        /// The same with number, chain, signatures and request mended, so that it is judged by the rest.
        case lies
        /// Another member sends this as a message's content.
        case sends
        /// Another member commits this as the group's profile.
        case commits
        case time
        /// The connection is lost and made anew; the home says which order it has seen.
        case again
        /// The user does something.
        case acts
    }

    init() throws {
        let scene = try HonestWorld.shared()
        guard let device = scene.world.core(ofDevice: Self.victim), let insider = scene.world.group(scene.key.conversation, at: 0) else {
            throw HonestWorld.Failure.noConversation
        }
        (self.scene, forger, self.device, self.insider) = (scene, Forger(scene), device, insider)
        var seeds: [[UInt8]] = []
        func add(_ steps: [(Kind, [UInt8])]) { seeds.append(Script(steps.map { ($0.0.rawValue, $0.1) }).encoded) }
        for device in [Self.victim, 0] {
            let frames = scene.tape.nodeFrames.filter { $0.device == device }.map { $0.frame.serialized() }
            for start in stride(from: 0, to: frames.count, by: 4) {
                let some = frames[start..<min(start + 4, frames.count)]
                add(some.map { (.says, $0) })
                add(some.map { (.lies, $0) } + [(.time, [3, 10])])
            }
        }
        for frame in try Self.rarities(scene) { add([(.acts, [1, 4]), (.lies, frame.serialized()), (.says, frame.serialized())]) }
        let wall = scene.wall
        for body in [Content.Body.text("a text"), .presenceToken(.zero), .unknown(7), .text("\u{1b}[2J\u{202e}")] {
            add([(.sends, Content(body, sent: wall, frankingKey: .zero).encoded())])
        }
        let owner = scene.account(0).userID
        let profile = GroupProfile(kind: .group, name: "renamed", roles: [owner: .owner], mayAdd: .owner)
        add([(.commits, profile.encoded()), (.sends, Content(.text("after"), sent: wall, frankingKey: .zero).encoded())])
        for act in UInt8(0)..<12 { add([(.acts, [act, 1]), (.time, [50, 6])]) }
        add([(.again, [0]), (.time, [9, 12]), (.again, [255, 255]), (.acts, [0, 0])])
        self.seeds = seeds
    }

    /// What no home had a reason to say.
    private static func rarities(_ scene: HonestWorld) throws -> [NodeFrame] {
        let (key, entry) = (scene.key, scene.account(0).entry)
        let other = ConversationKey(hub: key.hub, conversation: ConversationID(raw: Bytes16(5, 6)))
        let refusal = Refusal(.staleEpoch, "later", epoch: 9)
        let failed = scene.tape.clientFrames.compactMap { said -> MessageID? in
            if said.device == victim, case .submit(let submission) = said.frame { submission.message } else { nil }
        }
        var frames: [NodeFrame] = [
            .entry(5, .welcome(WelcomePart(key: other, number: 1, index: 0, count: 2, bytes: [1, 2, 3]))),
            .entry(6, .welcome(WelcomePart(key: key, number: 9, index: 63, count: 64, bytes: [1]))),
            .group(RequestID(1), AnswerPart(index: 0, count: 2, bytes: [1, 2])), .keyPackagesLeft(0), .pong(0), .caughtUp,
            .signal(Signal(key: key, sender: entry, epoch: 1, sealed: [1])),
            .presence([PresenceNews(user: entry.user, presence: .offline(lastSeen: .max))]),
            .entry(7, .mark(SealedMark(key: key, device: entry.device, epoch: 2, sealed: [7]))),
            .found(RequestID(1), scene.records[0], address: try Address("user0@node0")), .done(RequestID(1)),
            .keyPackages(RequestID(1), [ClaimedKeyPackages(user: entry.user, packages: [[1]])]), .goodbye(Refusal(.busy, "later")),
            .ready(waiting: 3, order: 99, restored: 7), .refusedRequest(RequestID(1), refusal),
        ]
        for message in failed.suffix(2) {
            frames += [
                .refusedMessage(message, refusal), .entry(8, .failed(Failure(key: key, message: message, refusal: refusal))),
                .sent(message),
                .entry(9, .accepted(Acceptance(key: key, number: 2, message: message, chain: .zero))),
            ]
        }
        return frames
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        var attack = DeviceAttack(scene, forger, device, insider: insider)
        for step in Script(input).steps { try attack.perform(step) }
        try attack.finish()
        return attack.understood > 0
    }
}
