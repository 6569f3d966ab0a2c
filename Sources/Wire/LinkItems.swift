internal import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

// The entries of a link, and liveness.

extension ProtoNodeEntry {
    init(_ position: QueuePosition, _ item: NodeItem) {
        self.position = position.value
        switch item {
        case .submission(let submission, let sender):
            var forwarded = ProtoForwardedSubmission()
            forwarded.submission = ProtoSubmission(submission)
            forwarded.senderUser = Data(sender.user)
            forwarded.senderDevice = Data(sender.device)
            self.submission = forwarded
        case .event(let envelope, let recipients):
            var forwarded = ProtoForwardedEvent()
            forwarded.event = ProtoEvent(envelope)
            forwarded.recipients = recipients.map { Data($0) }
            event = forwarded
        case .accepted(let acceptance, let device):
            var forwarded = ProtoForwardedAcceptance()
            forwarded.acceptance = ProtoAcceptance(acceptance)
            forwarded.device = Data(device)
            accepted = forwarded
        case .failed(let failure, let device):
            var forwarded = ProtoForwardedFailure()
            forwarded.failure = ProtoFailure(failure)
            forwarded.device = Data(device)
            failed = forwarded
        case .watermark(let watermark):
            self.watermark = ProtoWatermark(watermark)
        case .receipt(let watermark, let devices):
            var receipt = ProtoReceipt()
            receipt.watermark = ProtoWatermark(watermark)
            receipt.devices = devices.map { Data($0) }
            self.receipt = receipt
        case .welcome(let part, let recipients):
            var forwarded = ProtoForwardedWelcome()
            forwarded.part = ProtoWelcomePart(part)
            forwarded.recipients = recipients.map { Data($0) }
            welcome = forwarded
        case .mark(let mark, let devices):
            self.mark = ProtoForwardedMark(mark, devices)
        case .marked(let mark, let devices):
            marked = ProtoForwardedMark(mark, devices)
        }
    }

    /// As for a device's entry: an item of an unknown kind is an error.
    func value() throws(WireError) -> NodeItem {
        switch item {
        case .submission(let forwarded):
            .submission(
                try present(forwarded.submission, forwarded.hasSubmission, "entry.submission.submission").value(),
                sender: RosterEntry(
                    user: try forwarded.senderUser.id("entry.submission.sender_user"),
                    device: try forwarded.senderDevice.id("entry.submission.sender_device")))
        case .event(let forwarded):
            .event(
                try present(forwarded.event, forwarded.hasEvent, "entry.event.event").value(),
                recipients: try forwarded.recipients.ids("entry.event.recipients", max: Limits.recipientsPerEntryMax))
        case .accepted(let forwarded):
            .accepted(
                try present(forwarded.acceptance, forwarded.hasAcceptance, "entry.accepted.acceptance").value(),
                device: try forwarded.device.id("entry.accepted.device"))
        case .failed(let forwarded):
            .failed(
                try present(forwarded.failure, forwarded.hasFailure, "entry.failed.failure").value(),
                device: try forwarded.device.id("entry.failed.device"))
        case .watermark(let watermark):
            .watermark(try watermark.value())
        case .receipt(let receipt):
            .receipt(
                try present(receipt.watermark, receipt.hasWatermark, "entry.receipt.watermark").value(),
                devices: try receipt.devices.ids("entry.receipt.devices", max: Limits.rosterDevicesMax))
        case .welcome(let forwarded):
            .welcome(
                try present(forwarded.part, forwarded.hasPart, "entry.welcome.part").value(),
                recipients: try forwarded.recipients.ids("entry.welcome.recipients", max: Limits.recipientsPerEntryMax))
        case .mark(let forwarded):
            .mark(try forwarded.sealed("entry.mark"), devices: try forwarded.list("entry.mark"))
        case .marked(let forwarded):
            .marked(try forwarded.sealed("entry.marked"), devices: try forwarded.list("entry.marked"))
        case nil: throw .missing("entry.item")
        }
    }
}

extension ProtoForwardedMark {
    fileprivate init(_ mark: SealedMark, _ devices: [DeviceID]) {
        self.mark = ProtoSealedMark(mark)
        self.devices = devices.map { Data($0) }
    }

    fileprivate func sealed(_ item: String) throws(WireError) -> SealedMark {
        try present(mark, hasMark, "\(item).mark").value()
    }

    fileprivate func list(_ item: String) throws(WireError) -> [DeviceID] {
        try devices.ids("\(item).devices", max: Limits.recipientsPerEntryMax)
    }
}

extension ProtoLiveness {
    init(_ message: LivenessMessage) {
        switch message {
        case .ping(let sequence, let claims): self.init(.ping, sequence, claims)
        case .acknowledge(let sequence, let claims): self.init(.acknowledge, sequence, claims)
        case .pingRequest(let sequence, let target, let claims):
            self.init(.pingRequest, sequence, claims)
            self.target = Data(target)
        case .negative(let sequence, let claims): self.init(.negative, sequence, claims)
        }
    }

    private init(_ kind: ProtoLivenessKind, _ sequence: UInt64, _ claims: [LivenessClaim]) {
        self.kind = kind
        self.sequence = sequence
        self.claims = claims.map { ProtoLivenessClaim($0) }
    }

    func value() throws(WireError) -> LivenessMessage {
        let sequence = try self.sequence.bounded("liveness.sequence")
        let claims = try self.claims.values("liveness.claims", max: Limits.claimsPerFrameMax) { claim throws(WireError) in
            try claim.value()
        }
        switch kind {
        case .unspecified: throw .missing("liveness.kind")
        case .ping: return .ping(sequence: sequence, claims: claims)
        case .acknowledge: return .acknowledge(sequence: sequence, claims: claims)
        case .pingRequest: return .pingRequest(sequence: sequence, target: try target.id("liveness.target"), claims: claims)
        case .negative: return .negative(sequence: sequence, claims: claims)
        case .UNRECOGNIZED: throw .unknownFrame
        }
    }
}

extension ProtoLivenessClaim {
    init(_ claim: LivenessClaim) {
        node = Data(claim.node)
        state = ProtoLivenessState(rawValue: Int(claim.state.rawValue)) ?? .unspecified
        incarnation = claim.incarnation
    }

    func value() throws(WireError) -> LivenessClaim {
        guard let raw = UInt8(exactly: state.rawValue), let state = LivenessClaim.State(rawValue: raw) else {
            throw .badValue("claim.state")
        }
        return LivenessClaim(node: try node.id("claim.node"), state: state, incarnation: try incarnation.bounded("claim.incarnation"))
    }
}
