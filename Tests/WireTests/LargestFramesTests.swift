import Testing
import Vocabulary
import Wire

/// Every frame that can be large, as large as the bounds of its fields let it be: it fits, so that nobody has to measure before sending.
struct LargestFramesTests {
    private let id = RequestID(.max)
    private let position = QueuePosition(unchecked: counterMax)
    private let epoch = Epoch(unchecked: counterMax)
    private let number = SequenceNumber(unchecked: counterMax)
    private let longRefusal = Refusal(
        .nameTaken, String(repeating: "a", count: Limits.reasonBytesMax), epoch: Epoch(unchecked: counterMax))

    private func fits<F: Frame>(_ frame: F, _ location: SourceLocation = #_sourceLocation) throws {
        let bytes = frame.serialized()
        #expect(bytes.count <= Limits.frameBytesMax, sourceLocation: location)
        #expect(try F(serialized: bytes) == frame, sourceLocation: location)
    }

    private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0xff, count: count) }
    private func ids<T: Identifier32>(_ count: Int) -> [T] { [T](repeating: Fixture.id32(4), count: count) }

    @Test func `events with their recipients`() throws {
        for kind in [EventKind.application, .commit, .proposal] {
            let event = Envelope(
                key: Fixture.key, number: number, sender: Fixture.sender, message: Fixture.id16(1), kind: kind, epoch: epoch,
                payload: bytes(kind.payloadBytesMax), chain: Fixture.id32(1))
            try fits(NodeFrame.entry(position, .event(event)))
            try fits(LinkFrame.entry(position, .event(event, recipients: ids(Limits.recipientsPerEntryMax))))
        }
    }

    @Test func `submissions, from the device and to the hub`() throws {
        let bundles = [
            (Limits.handshakeBytesMax, nil, Limits.bundleBytesMax - Limits.handshakeBytesMax),
            (1024, Limits.handshakeBytesMax, Limits.bundleBytesMax - Limits.handshakeBytesMax - 1024),
            (Limits.bundleBytesMax - Limits.groupInfoBytesMax, nil, Limits.groupInfoBytesMax), (40 * 1024, 30 * 1024, 24 * 1024),
        ].map { (commit: Int, welcome: Int?, groupInfo: Int) in
            SubmissionKind.commit(
                CommitBundle(epoch: epoch, commit: bytes(commit), welcome: welcome.map(bytes), groupInfo: bytes(groupInfo)))
        }
        let kinds =
            bundles + [
                .found(groupInfo: bytes(Limits.groupInfoBytesMax)), .proposal(epoch: epoch, message: bytes(Limits.handshakeBytesMax)),
                .application(epoch: epoch, payload: bytes(Limits.payloadBytesMax)),
            ]
        for kind in kinds {
            let submission = Submission(
                message: Fixture.id16(1), conversation: Fixture.id16(2), hub: Fixture.id32(3), kind: kind, timeToLive: .max,
                order: counterMax)
            try fits(ClientFrame.submit(submission))
            try fits(LinkFrame.entry(position, .submission(submission, sender: Fixture.sender)))
        }
    }

    @Test func `parts of a Welcome and of an answer`() throws {
        let part = WelcomePart(
            key: Fixture.key, number: number, index: Limits.partsMax - 1, count: Limits.partsMax, bytes: bytes(Limits.partBytesMax))
        try fits(NodeFrame.entry(position, .welcome(part)))
        try fits(LinkFrame.entry(position, .welcome(part, recipients: ids(Limits.recipientsPerEntryMax))))
        let answer = AnswerPart(index: part.index, count: part.count, bytes: part.bytes)
        try fits(NodeFrame.group(id, answer))
        try fits(LinkFrame.group(id, answer))
    }

    @Test func `KeyPackages published and claimed`() throws {
        let package = bytes(Limits.keyPackageBytesMax)
        let supply = KeyPackageSupply(
            replaces: true, packages: [[UInt8]](repeating: package, count: Limits.keyPackagesPerFrameMax), lastResort: package)
        try fits(ClientFrame.publishKeyPackages(id, supply))
        try fits(ClientFrame.claimKeyPackages(id, ids(Limits.claimedUsersMax)))
        try fits(LinkFrame.claimKeyPackages(id, by: Fixture.id32(1), ids(Limits.claimedUsersMax)))

        // All bytes for one user, and the longest refusal for each other; the same bytes in as many packages as users can have.
        func claimed(_ packages: [[UInt8]]) -> ClaimedKeyPackages { ClaimedKeyPackages(user: Fixture.id32(1), packages: packages) }
        let refused = ClaimedKeyPackages(user: Fixture.id32(2), refusal: longRefusal)
        let size = Limits.claimedBytesMax / Limits.claimedUsersMax / Limits.devicesPerUserMax
        for answers in [
            [claimed([[UInt8]](repeating: package, count: Limits.devicesPerUserMax))]
                + [ClaimedKeyPackages](repeating: refused, count: Limits.claimedUsersMax - 1),
            [ClaimedKeyPackages](
                repeating: claimed([[UInt8]](repeating: bytes(size), count: Limits.devicesPerUserMax)), count: Limits.claimedUsersMax),
        ] {
            try fits(NodeFrame.keyPackages(id, answers))
            try fits(LinkFrame.keyPackages(id, answers))
        }
    }

    @Test func `marks, signals, receipts and acknowledgements`() throws {
        let mark = SealedMark(key: Fixture.key, device: Fixture.id32(1), epoch: epoch, sealed: bytes(Limits.sealedMarkBytesMax))
        let signal = Signal(key: Fixture.key, sender: Fixture.sender, epoch: epoch, sealed: mark.sealed)
        let devices: [DeviceID] = ids(Limits.recipientsPerEntryMax)
        try fits(ClientFrame.mark(mark, devices: devices))
        try fits(ClientFrame.signal(signal))
        try fits(LinkFrame.entry(position, .mark(mark, devices: devices)))
        try fits(LinkFrame.entry(position, .marked(mark, devices: devices)))
        try fits(LinkFrame.signal(signal, recipients: devices))
        let watermark = Watermark(
            key: Fixture.key, device: Fixture.id32(1), through: number, chain: Fixture.id32(1), signature: Fixture.signature(1))
        try fits(LinkFrame.entry(position, .receipt(watermark, devices: ids(Limits.rosterDevicesMax))))
        try fits(
            ClientFrame.acknowledge(
                through: position, watermarks: [Watermark](repeating: watermark, count: Limits.watermarksPerFrameMax)))
    }

    @Test func `who is blocked, and presence`() throws {
        let conversations = [ConversationKey](repeating: Fixture.key, count: Limits.blockedMax)
        try fits(ClientFrame.setBlocked(id, users: ids(Limits.blockedMax), conversations: conversations))
        let wishes = [PresenceWish](repeating: Fixture.wishes[0], count: Limits.presenceWishesMax)
        try fits(ClientFrame.subscribe(wishes))
        try fits(LinkFrame.presenceWanted(wishes))
        try fits(LinkFrame.presenceUnwanted(ids(Limits.presenceNewsPerFrameMax)))
        let latest = PresenceNews(user: Fixture.id32(1), presence: .offline(lastSeen: counterMax / 60 * 60))
        let news = [PresenceNews](repeating: latest, count: Limits.presenceNewsPerFrameMax)
        try fits(NodeFrame.presence(news))
        try fits(LinkFrame.presence(news))
    }

    /// What is cut into parts here is what comes out of the frames there.
    @Test(arguments: [0, 1, Limits.partBytesMax, Limits.partBytesMax + 1, 5 * Limits.partBytesMax - 1])
    func `what was cut into parts comes back whole`(count: Int) throws {
        let whole = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let answers = AnswerPart.parts(of: whole)
        let welcomes = WelcomePart.parts(of: whole, key: Fixture.key, number: 9)
        #expect(answers.count == max(1, (count + Limits.partBytesMax - 1) / Limits.partBytesMax))
        #expect(answers.flatMap(\.bytes) == whole && welcomes.flatMap(\.bytes) == whole)
        for answer in answers { try fits(NodeFrame.group(id, answer)) }
        for part in welcomes { try fits(NodeFrame.entry(position, .welcome(part))) }
    }

    @Test func `what needs more parts than there may be is not cut`() {
        let most = Int(Limits.partsMax) * Limits.partBytesMax
        #expect(AnswerPart.parts(of: bytes(most)).count == Int(Limits.partsMax))
        #expect(AnswerPart.parts(of: bytes(most + 1)).isEmpty)
        #expect(WelcomePart.parts(of: bytes(most + 1), key: Fixture.key, number: 1).isEmpty)
    }
}
