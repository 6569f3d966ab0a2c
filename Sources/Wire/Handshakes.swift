internal import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

// What groups need beside events, in common.proto: commits with what follows from them, parts of what is too long, marks and signals.

extension ProtoSubmission.Commit {
    init(_ bundle: CommitBundle) {
        epoch = bundle.epoch.value
        commit = Data(bundle.commit)
        if let welcome = bundle.welcome { self.welcome = Data(welcome) }
        groupInfo = Data(bundle.groupInfo)
    }

    /// Each of the three has its bound, and their sum has one: what a client may send must fit the link to the hub too.
    func value() throws(WireError) -> CommitBundle {
        let bundle = CommitBundle(
            epoch: try epoch.counter("submission.commit.epoch"),
            commit: try commit.content("submission.commit.commit", max: Limits.handshakeBytesMax),
            welcome: welcome.isEmpty ? nil : try welcome.opaque("submission.commit.welcome", max: Limits.handshakeBytesMax),
            groupInfo: try groupInfo.content("submission.commit.group_info", max: Limits.groupInfoBytesMax))
        guard commit.count + welcome.count + groupInfo.count <= Limits.bundleBytesMax else { throw .badValue("submission.commit") }
        return bundle
    }
}

extension ProtoWelcomePart {
    init(_ part: WelcomePart) {
        hub = Data(part.key.hub)
        conversation = Data(part.key.conversation)
        number = part.number.value
        index = UInt32(part.index)
        count = UInt32(part.count)
        content = Data(part.bytes)
    }

    func value() throws(WireError) -> WelcomePart {
        let (index, count) = try place(index, of: count, "welcome")
        return WelcomePart(
            key: try conversationKey(hub, conversation, of: "welcome"), number: try number.counter("welcome.number"), index: index,
            count: count, bytes: try content.opaque("welcome.content", max: Limits.partBytesMax))
    }
}

extension ProtoAnswerPart {
    init(_ part: AnswerPart) {
        index = UInt32(part.index)
        count = UInt32(part.count)
        content = Data(part.bytes)
    }

    func value() throws(WireError) -> AnswerPart {
        let (index, count) = try place(index, of: count, "part")
        return AnswerPart(index: index, count: count, bytes: try content.opaque("part.content", max: Limits.partBytesMax))
    }
}

/// Where a part stands: below a count of at most `Limits.partsMax`, so that nobody waits for more than may be kept.
private func place(_ index: UInt32, of count: UInt32, _ message: String) throws(WireError) -> (UInt16, UInt16) {
    guard count != 0 else { throw .missing("\(message).count") }
    guard let count = UInt16(exactly: count), count <= Limits.partsMax else { throw .badValue("\(message).count") }
    guard let index = UInt16(exactly: index), index < count else { throw .badValue("\(message).index") }
    return (index, count)
}

extension ProtoSealedMark {
    init(_ mark: SealedMark) {
        hub = Data(mark.key.hub)
        conversation = Data(mark.key.conversation)
        device = Data(mark.device)
        epoch = mark.epoch.value
        sealed = Data(mark.sealed)
    }

    func value() throws(WireError) -> SealedMark {
        SealedMark(
            key: try conversationKey(hub, conversation, of: "mark"), device: try device.id("mark.device"),
            epoch: try epoch.counter("mark.epoch"), sealed: try sealed.content("mark.sealed", max: Limits.sealedMarkBytesMax))
    }
}

extension ProtoSignal {
    init(_ signal: Signal) {
        hub = Data(signal.key.hub)
        conversation = Data(signal.key.conversation)
        senderUser = Data(signal.sender.user)
        senderDevice = Data(signal.sender.device)
        epoch = signal.epoch.value
        sealed = Data(signal.sealed)
    }

    func value() throws(WireError) -> Signal {
        Signal(
            key: try conversationKey(hub, conversation, of: "signal"),
            sender: RosterEntry(user: try senderUser.id("signal.sender_user"), device: try senderDevice.id("signal.sender_device")),
            epoch: try epoch.counter("signal.epoch"), sealed: try sealed.content("signal.sealed", max: Limits.sealedMarkBytesMax))
    }
}

extension ProtoConversationKey {
    init(_ key: ConversationKey) {
        hub = Data(key.hub)
        conversation = Data(key.conversation)
    }
}

/// Events asked for once more: at least one.
func refetchRange(_ from: UInt64, _ through: UInt64) throws(WireError) -> (from: SequenceNumber, through: SequenceNumber) {
    let (first, last): (SequenceNumber, SequenceNumber) = (try from.counter("refetch.from"), try through.counter("refetch.through"))
    guard from >= 1 else { throw .missing("refetch.from") }
    guard first <= last else { throw .badValue("refetch.through") }
    return (first, last)
}
