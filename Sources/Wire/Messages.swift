internal import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

// What conversations are made of, in common.proto.

extension ProtoSubmission {
    init(_ submission: Submission) {
        message = Data(submission.message)
        conversation = Data(submission.conversation)
        hub = Data(submission.hub)
        timeToLive = submission.timeToLive
        order = submission.order
        switch submission.kind {
        case .application(let epoch, let payload):
            var application = Application()
            application.epoch = epoch.value
            application.payload = Data(payload)
            kind = .application(application)
        case .found(let groupInfo):
            var found = FoundGroup()
            found.groupInfo = Data(groupInfo)
            kind = .found(found)
        case .commit(let bundle):
            kind = .commit(Commit(bundle))
        case .proposal(let epoch, let message):
            var proposal = Proposal()
            proposal.epoch = epoch.value
            proposal.message = Data(message)
            kind = .proposal(proposal)
        case .testimony(let testimony): kind = .testimony(Data(testimony.encoded()))
        }
    }

    func value() throws(WireError) -> Submission {
        let kind: SubmissionKind
        switch self.kind {
        case .application(let application):
            kind = .application(
                epoch: try application.epoch.counter("submission.application.epoch"),
                payload: try application.payload.opaque("submission.application.payload", max: Limits.payloadBytesMax))
        case .found(let found):
            kind = .found(groupInfo: try found.groupInfo.content("submission.found.group_info", max: Limits.groupInfoBytesMax))
        case .commit(let commit):
            kind = .commit(try commit.value())
        case .proposal(let proposal):
            kind = .proposal(
                epoch: try proposal.epoch.counter("submission.proposal.epoch"),
                message: try proposal.message.content("submission.proposal.message", max: Limits.handshakeBytesMax))
        case .testimony(let bytes):
            let content = try bytes.content("submission.testimony", max: Limits.testimonyBytesMax)
            do throws(CodecError) { kind = .testimony(try Testimony(decoding: content)) } catch {
                throw .badValue("submission.testimony")
            }
        case nil: throw .missing("submission.kind")
        }
        return Submission(
            message: try message.id("submission.message"), conversation: try conversation.id("submission.conversation"),
            hub: try hub.id("submission.hub"), kind: kind, timeToLive: timeToLive, order: try order.bounded("submission.order"))
    }
}

extension ProtoEvent {
    init(_ envelope: Envelope) {
        hub = Data(envelope.key.hub)
        conversation = Data(envelope.key.conversation)
        number = envelope.number.value
        senderUser = Data(envelope.sender.user)
        senderDevice = Data(envelope.sender.device)
        message = Data(envelope.message)
        kind = ProtoEventKind(rawValue: Int(envelope.kind.rawValue)) ?? .unspecified
        epoch = envelope.epoch.value
        payload = Data(envelope.payload)
        chain = Data(envelope.chain)
    }

    func value() throws(WireError) -> Envelope {
        guard kind != .unspecified else { throw .missing("event.kind") }
        guard let raw = UInt8(exactly: kind.rawValue), let eventKind = EventKind(rawValue: raw) else { throw .badValue("event.kind") }
        return Envelope(
            key: try conversationKey(hub, conversation, of: "event"),
            number: try number.counter("event.number"),
            sender: RosterEntry(user: try senderUser.id("event.sender_user"), device: try senderDevice.id("event.sender_device")),
            message: try message.id("event.message"), kind: eventKind, epoch: try epoch.counter("event.epoch"),
            payload: try payload.opaque("event.payload", max: eventKind.payloadBytesMax), chain: try chain.id("event.chain"))
    }
}

extension ProtoAcceptance {
    init(_ acceptance: Acceptance) {
        hub = Data(acceptance.key.hub)
        conversation = Data(acceptance.key.conversation)
        number = acceptance.number.value
        message = Data(acceptance.message)
        chain = Data(acceptance.chain)
    }

    func value() throws(WireError) -> Acceptance {
        Acceptance(
            key: try conversationKey(hub, conversation, of: "acceptance"),
            number: try number.counter("acceptance.number"), message: try message.id("acceptance.message"),
            chain: try chain.id("acceptance.chain"))
    }
}

extension ProtoFailure {
    init(_ failure: Failure) {
        hub = Data(failure.key.hub)
        conversation = Data(failure.key.conversation)
        message = Data(failure.message)
        refusal = ProtoRefusal(failure.refusal)
    }

    func value() throws(WireError) -> Failure {
        Failure(
            key: try conversationKey(hub, conversation, of: "failure"),
            message: try message.id("failure.message"), refusal: try present(refusal, hasRefusal, "failure.refusal").value())
    }
}

extension ProtoWatermark {
    init(_ watermark: Watermark) {
        hub = Data(watermark.key.hub)
        conversation = Data(watermark.key.conversation)
        device = Data(watermark.device)
        through = watermark.through.value
        chain = Data(watermark.chain)
        signature = Data(watermark.signature)
    }

    func value() throws(WireError) -> Watermark {
        Watermark(
            key: try conversationKey(hub, conversation, of: "watermark"),
            device: try device.id("watermark.device"), through: try through.counter("watermark.through"),
            chain: try chain.id("watermark.chain"), signature: try signature.signature("watermark.signature"))
    }
}
