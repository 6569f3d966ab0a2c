import Testing
import Vocabulary
import Wire

/// What the types of groups, KeyPackages and presence may not hold, beside what `BoundsTests` reads from the `.proto` files.
struct GroupBoundsTests {
    private func refuses<F: Frame>(_ frame: F, _ expected: WireError, _ location: SourceLocation = #_sourceLocation) {
        #expect(throws: expected, sourceLocation: location) { try F(serialized: frame.serialized()) }
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
    private func ids<T: Identifier32>(_ count: Int) -> [T] { [T](repeating: Fixture.id32(4), count: count) }

    @Test func `what a group is made of is bounded in bytes`() {
        let (handshake, groupInfo) = (zeros(Limits.handshakeBytesMax + 1), zeros(Limits.groupInfoBytesMax + 1))
        func submit(_ kind: SubmissionKind) -> ClientFrame { .submit(Fixture.submission(kind)) }
        refuses(submit(.found(groupInfo: groupInfo)), .badValue("submission.found.group_info"))
        refuses(submit(.proposal(epoch: 0, message: handshake)), .badValue("submission.proposal.message"))
        func commit(_ commit: [UInt8], _ welcome: [UInt8]?, _ groupInfo: [UInt8]) -> ClientFrame {
            submit(.commit(CommitBundle(epoch: 0, commit: commit, welcome: welcome, groupInfo: groupInfo)))
        }
        refuses(commit(handshake, nil, [1]), .badValue("submission.commit.commit"))
        refuses(commit([1], handshake, [1]), .badValue("submission.commit.welcome"))
        refuses(commit([1], nil, groupInfo), .badValue("submission.commit.group_info"))
        for kind in [EventKind.application, .commit, .proposal] {
            let event = Fixture.event(kind, payload: zeros(kind.payloadBytesMax + 1))
            refuses(NodeFrame.entry(1, .event(event)), .badValue("event.payload"))
            refuses(LinkFrame.entry(1, .event(event, recipients: [])), .badValue("event.payload"))
        }
        let mark = SealedMark(key: Fixture.key, device: Fixture.id32(1), epoch: 0, sealed: zeros(Limits.sealedMarkBytesMax + 1))
        refuses(ClientFrame.mark(mark, devices: []), .badValue("mark.sealed"))
        refuses(NodeFrame.entry(1, .mark(mark)), .badValue("mark.sealed"))
        let signal = Signal(key: Fixture.key, sender: Fixture.sender, epoch: 0, sealed: mark.sealed)
        refuses(ClientFrame.signal(signal), .badValue("signal.sealed"))
        refuses(LinkFrame.signal(signal, recipients: []), .badValue("signal.sealed"))
    }

    /// Each within its bound, together one byte too long for the link to the hub.
    @Test func `a commit with its Welcome and GroupInfo is bounded as a whole`() {
        let (commit, groupInfo) = (zeros(40 * 1024), zeros(20 * 1024))
        let welcome = zeros(Limits.bundleBytesMax - commit.count - groupInfo.count + 1)
        let bundle = CommitBundle(epoch: 0, commit: commit, welcome: welcome, groupInfo: groupInfo)
        refuses(ClientFrame.submit(Fixture.submission(.commit(bundle))), .badValue("submission.commit"))
    }

    @Test(arguments: [(0, 0), (2, 2), (3, 2), (0, 65), (64, 64), (65, 65), (65_535, 65_535)])
    func `a part stands below a count of at most 64`(index: UInt16, count: UInt16) {
        let counted = (1...Limits.partsMax).contains(count)
        func expected(_ message: String) -> WireError {
            count == 0 ? .missing("\(message).count") : .badValue(counted ? "\(message).index" : "\(message).count")
        }
        let part = WelcomePart(key: Fixture.key, number: 1, index: index, count: count, bytes: [])
        refuses(NodeFrame.entry(1, .welcome(part)), expected("welcome"))
        refuses(LinkFrame.entry(1, .welcome(part, recipients: [])), expected("welcome"))
        let answer = AnswerPart(index: index, count: count, bytes: [])
        refuses(NodeFrame.group(RequestID(1), answer), expected("part"))
        refuses(LinkFrame.group(RequestID(1), answer), expected("part"))
    }

    /// 2^16 and 2^32 - 1 must not be taken for 0 and 65,535.
    @Test(arguments: [65_536, 65_537, UInt64(UInt32.max)]) func `the places of parts are not cut to 16 bits`(value: UInt64) throws {
        let schema = try Schema()
        let frame = NodeFrame.group(RequestID(1), AnswerPart(index: 1, count: 2, bytes: []))
        let tree = try #require(Tree("NodeFrame", frame.serialized(), schema))
        let wrong = tree.altered { message, _, _ in message == "AnswerPart" ? [[.number(value)]] : [] }
        #expect(wrong.count == 2)
        for (_, number, altered) in wrong {
            let expected = WireError.badValue(number == 1 ? "part.index" : "part.count")
            #expect(throws: expected) { try NodeFrame(serialized: altered.encoded) }
        }
    }

    @Test func `parts are bounded in bytes`() {
        let bytes = zeros(Limits.partBytesMax + 1)
        let part = WelcomePart(key: Fixture.key, number: 1, index: 0, count: 1, bytes: bytes)
        refuses(NodeFrame.entry(1, .welcome(part)), .badValue("welcome.content"))
        refuses(LinkFrame.entry(1, .welcome(part, recipients: [])), .badValue("welcome.content"))
        refuses(NodeFrame.group(RequestID(1), AnswerPart(index: 0, count: 1, bytes: bytes)), .badValue("part.content"))
    }

    @Test func `KeyPackages are bounded in bytes and number, and never empty`() {
        func publish(_ packages: [[UInt8]], _ lastResort: [UInt8]? = nil) -> ClientFrame {
            .publishKeyPackages(RequestID(1), KeyPackageSupply(replaces: false, packages: packages, lastResort: lastResort))
        }
        let long = zeros(Limits.keyPackageBytesMax + 1)
        refuses(publish([long]), .badValue("publish_key_packages.packages"))
        refuses(publish([[]]), .missing("publish_key_packages.packages"))
        refuses(publish([], long), .badValue("publish_key_packages.last_resort"))
        refuses(
            publish([[UInt8]](repeating: [1], count: Limits.keyPackagesPerFrameMax + 1)), .badValue("publish_key_packages.packages"))

        func answer(_ packages: [[UInt8]], users: Int = 1) -> NodeFrame {
            .keyPackages(
                RequestID(1), [ClaimedKeyPackages](repeating: ClaimedKeyPackages(user: Fixture.id32(1), packages: packages), count: users))
        }
        refuses(answer([long]), .badValue("claimed.packages"))
        refuses(answer([[1], []]), .missing("claimed.packages"))
        refuses(answer([[UInt8]](repeating: [1], count: Limits.devicesPerUserMax + 1)), .badValue("claimed.packages"))
        refuses(answer([[1]], users: Limits.claimedUsersMax + 1), .badValue("key_packages.users"))
        // Each user's within bounds, all together not.
        refuses(answer([zeros(Limits.keyPackageBytesMax)], users: Limits.devicesPerUserMax + 1), .badValue("key_packages.users"))
    }

    @Test func `a claim is answered by packages or by a refusal, never by both or neither`() {
        func answer(_ packages: [[UInt8]], _ refusal: Refusal?) -> [ClaimedKeyPackages] {
            [ClaimedKeyPackages(user: Fixture.id32(1), packages: packages, refusal: refusal)]
        }
        refuses(NodeFrame.keyPackages(RequestID(1), answer([], nil)), .missing("claimed.refusal"))
        refuses(NodeFrame.keyPackages(RequestID(1), answer([[1]], Fixture.refusal)), .badValue("claimed.refusal"))
        refuses(LinkFrame.keyPackages(RequestID(1), answer([], nil)), .missing("claimed.refusal"))
        refuses(LinkFrame.keyPackages(RequestID(1), answer([[1]], Fixture.refusal)), .badValue("claimed.refusal"))
    }

    @Test func `lists are bounded in entries`() {
        let (users, id): ([UserID], RequestID) = (ids(Limits.claimedUsersMax + 1), RequestID(1))
        refuses(ClientFrame.claimKeyPackages(id, users), .badValue("claim_key_packages.users"))
        refuses(LinkFrame.claimKeyPackages(id, by: Fixture.id32(1), users), .badValue("claim_key_packages.users"))
        let devices: [DeviceID] = ids(Limits.recipientsPerEntryMax + 1)
        refuses(ClientFrame.mark(Fixture.mark, devices: devices), .badValue("mark.devices"))
        refuses(LinkFrame.signal(Fixture.signal, recipients: devices), .badValue("signal.recipients"))
        for (item, field) in [
            (NodeItem.event(Fixture.envelope, recipients: devices), "entry.event.recipients"),
            (.welcome(Fixture.part, recipients: devices), "entry.welcome.recipients"),
            (.mark(Fixture.mark, devices: devices), "entry.mark.devices"),
            (.marked(Fixture.mark, devices: devices), "entry.marked.devices"),
        ] { refuses(LinkFrame.entry(1, item), .badValue(field)) }
        refuses(ClientFrame.setBlocked(id, users: ids(Limits.blockedMax + 1), conversations: []), .badValue("set_blocked.users"))
        let conversations = [ConversationKey](repeating: Fixture.key, count: Limits.blockedMax + 1)
        refuses(ClientFrame.setBlocked(id, users: [], conversations: conversations), .badValue("set_blocked.conversations"))
        let wishes = [PresenceWish](repeating: Fixture.wishes[0], count: Limits.presenceWishesMax + 1)
        refuses(ClientFrame.subscribe(wishes), .badValue("wishes"))
        refuses(LinkFrame.presenceWanted(wishes), .badValue("wishes"))
        refuses(LinkFrame.presenceUnwanted(ids(Limits.presenceNewsPerFrameMax + 1)), .badValue("presence_unwanted.users"))
        let news = [PresenceNews](repeating: Fixture.news[0], count: Limits.presenceNewsPerFrameMax + 1)
        refuses(NodeFrame.presence(news), .badValue("news"))
        refuses(LinkFrame.presence(news), .badValue("news"))
    }

    @Test func `a refetch begins at 1 and does not run backwards`() {
        refuses(ClientFrame.refetch(Fixture.key, from: 0, through: 4), .missing("refetch.from"))
        refuses(ClientFrame.refetch(Fixture.key, from: 5, through: 4), .badValue("refetch.through"))
        refuses(LinkFrame.refetch(Fixture.key, by: Fixture.id32(1), from: 0, through: 4), .missing("refetch.from"))
        refuses(LinkFrame.refetch(Fixture.key, by: Fixture.id32(1), from: 5, through: 4), .badValue("refetch.through"))
    }

    @Test func `presence tells minutes, and only of who is offline`() throws {
        for time in [UInt64(1), 59, 1_700_000_041] {
            let news = PresenceNews(user: Fixture.id32(1), presence: .offline(lastSeen: time))
            refuses(NodeFrame.presence([news]), .badValue("news.last_seen"))
        }
        let schema = try Schema()
        let news = PresenceNews(user: Fixture.id32(1), presence: .offline(lastSeen: 60))
        var tree = try #require(Tree("NodeFrame", NodeFrame.presence([news]).serialized(), schema))
        tree = try #require(tree.altered { _, number, _ in number == 3 ? [[.number(60)]] : [] }.first).tree
        #expect(try NodeFrame(serialized: tree.encoded) == .presence([news]))
        // user, online, last_seen 60.
        let content: [UInt8] = [0x0a, 32] + zeros(32) + [0x10, 1, 0x18, 60]
        let both: [UInt8] = [0x0a, UInt8(content.count)] + content
        #expect(throws: WireError.badValue("news.last_seen")) { try NodeFrame(serialized: [0x92, 1, UInt8(both.count)] + both) }
        // Of whom nothing was heard nothing else is told: online, last_seen 60, unreachable.
        for other: [UInt8] in [[0x10, 1], [0x18, 60], [0x28, 1]] {
            let content: [UInt8] = [0x0a, 32] + zeros(32) + other + [0x30, 1]
            let news: [UInt8] = [0x0a, UInt8(content.count)] + content
            #expect(throws: WireError.badValue("news.unheard")) { try NodeFrame(serialized: [0x92, 1, UInt8(news.count)] + news) }
        }
    }
}
