public import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension NodeFrame {
    /// One WebSocket message. Source: Protos/client_session.proto.
    public func serialized() -> [UInt8] {
        var frame = ProtoNodeFrame()
        switch self {
        case .welcome(let version, let node, let federation, let nonce, let certificateHash, let signature):
            var welcome = ProtoWelcome()
            welcome.version = version
            welcome.node = Data(node)
            welcome.federation = Data(federation)
            welcome.nonce = Data(nonce)
            welcome.certificateHash = Data(certificateHash)
            welcome.signature = Data(signature)
            frame.welcome = welcome
        case .ready(let waiting, let order):
            var ready = ProtoReady()
            ready.waiting = waiting
            ready.order = order
            frame.ready = ready
        case .granted(let request, let federation, let issuer, let issuerName, let certificate):
            var granted = ProtoGranted()
            granted.request = request.value
            granted.federation = Data(federation)
            granted.issuer = Data(issuer)
            granted.issuerName = issuerName.description
            granted.certificate = Data(certificate)
            frame.granted = granted
        case .published(let request, let record):
            var published = ProtoPublished()
            published.request = request.value
            published.record = ProtoSignedUserRecord(record)
            frame.published = published
        case .sent(let message):
            var sent = ProtoSent()
            sent.message = Data(message)
            frame.sent = sent
        case .entry(let position, let item):
            frame.entry = ProtoDeviceEntry(position, item)
        case .caughtUp:
            frame.caughtUp = ProtoCaughtUp()
        case .found(let request, let record, let address):
            var found = ProtoFound()
            found.request = request.value
            found.record = ProtoSignedUserRecord(record)
            found.address = address.description
            frame.found = found
        case .refusedRequest(let request, let refusal):
            var refused = ProtoRefusedRequest()
            refused.request = request.value
            refused.refusal = ProtoRefusal(refusal)
            frame.refusedRequest = refused
        case .refusedMessage(let message, let refusal):
            var refused = ProtoRefusedMessage()
            refused.message = Data(message)
            refused.refusal = ProtoRefusal(refusal)
            frame.refusedMessage = refused
        case .pong(let value):
            var pong = ProtoPong()
            pong.value = value
            frame.pong = pong
        case .goodbye(let refusal):
            frame.goodbye = ProtoRefusal(refusal)
        case .done(let request):
            var done = ProtoDone()
            done.request = request.value
            frame.done = done
        case .keyPackages(let request, let answers):
            var packages = ProtoKeyPackages()
            packages.request = request.value
            packages.users = Array(answers)
            frame.keyPackages = packages
        case .keyPackagesLeft(let count):
            var left = ProtoKeyPackagesLeft()
            left.count = count
            frame.keyPackagesLeft = left
        case .group(let request, let part):
            var group = ProtoGroup()
            group.request = request.value
            group.part = ProtoAnswerPart(part)
            frame.group = group
        case .signal(let signal):
            frame.signal = ProtoSignal(signal)
        case .presence(let news):
            var presence = ProtoPresence()
            presence.news = news.map { ProtoPresenceNews($0) }
            frame.presence = presence
        }
        return frame.written()
    }

    public init(serialized bytes: [UInt8]) throws(WireError) {
        switch try ProtoNodeFrame.read(bytes).frame {
        case .welcome(let welcome): self = try welcome.value()
        case .ready(let ready):
            self = .ready(waiting: try ready.waiting.bounded("ready.waiting"), order: try ready.order.bounded("ready.order"))
        case .granted(let granted): self = try granted.value()
        case .published(let published):
            self = .published(
                RequestID(published.request), try present(published.record, published.hasRecord, "published.record").value())
        case .sent(let sent): self = .sent(try sent.message.id("sent.message"))
        case .entry(let entry): self = .entry(try entry.position.counter("entry.position"), try entry.value())
        case .caughtUp: self = .caughtUp
        case .found(let found):
            self = .found(
                RequestID(found.request), try present(found.record, found.hasRecord, "found.record").value(),
                address: try found.address.address("found.address"))
        case .refusedRequest(let refused):
            self = .refusedRequest(
                RequestID(refused.request), try present(refused.refusal, refused.hasRefusal, "refused_request.refusal").value())
        case .refusedMessage(let refused):
            self = .refusedMessage(
                try refused.message.id("refused_message.message"),
                try present(refused.refusal, refused.hasRefusal, "refused_message.refusal").value())
        case .pong(let pong): self = .pong(pong.value)
        case .goodbye(let refusal): self = .goodbye(try refusal.value())
        case .done(let done): self = .done(RequestID(done.request))
        case .keyPackages(let packages): self = .keyPackages(RequestID(packages.request), try packages.users.answers())
        case .keyPackagesLeft(let left): self = .keyPackagesLeft(left.count)
        case .group(let group):
            self = .group(RequestID(group.request), try present(group.part, group.hasPart, "group.part").value())
        case .signal(let signal): self = .signal(try signal.value())
        case .presence(let presence): self = .presence(try presence.news.news())
        case nil: throw .unknownFrame
        }
    }
}

extension ProtoWelcome {
    fileprivate func value() throws(WireError) -> NodeFrame {
        guard version >= 1 else { throw .missing("welcome.version") }
        return .welcome(
            version: version, node: try node.id("welcome.node"), federation: try federation.id("welcome.federation"),
            nonce: try nonce.bytes32("welcome.nonce"), certificateHash: try certificateHash.bytes32("welcome.certificate_hash"),
            signature: try signature.signature("welcome.signature"))
    }
}

extension ProtoGranted {
    fileprivate func value() throws(WireError) -> NodeFrame {
        .granted(
            RequestID(request), federation: try federation.id("granted.federation"), issuer: try issuer.id("granted.issuer"),
            issuerName: try issuerName.nodeName("granted.issuer_name"),
            certificate: try certificate.signature("granted.certificate"))
    }
}

extension ProtoDeviceEntry {
    fileprivate init(_ position: QueuePosition, _ item: DeviceItem) {
        self.position = position.value
        switch item {
        case .event(let envelope): event = ProtoEvent(envelope)
        case .accepted(let acceptance): accepted = ProtoAcceptance(acceptance)
        case .failed(let failure): failed = ProtoFailure(failure)
        case .watermark(let watermark): self.watermark = ProtoWatermark(watermark)
        case .welcome(let part): welcome = ProtoWelcomePart(part)
        case .mark(let mark): self.mark = ProtoSealedMark(mark)
        }
    }

    /// An item of an unknown kind is an error, not a frame to ignore: the next acknowledgement would cover what was never read.
    fileprivate func value() throws(WireError) -> DeviceItem {
        switch item {
        case .event(let event): .event(try event.value())
        case .accepted(let acceptance): .accepted(try acceptance.value())
        case .failed(let failure): .failed(try failure.value())
        case .watermark(let watermark): .watermark(try watermark.value())
        case .welcome(let part): .welcome(try part.value())
        case .mark(let mark): .mark(try mark.value())
        case nil: throw .missing("entry.item")
        }
    }
}
