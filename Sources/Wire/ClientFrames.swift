public import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension ClientFrame {
    /// One WebSocket message. Source: Protos/client_session.proto.
    public func serialized() -> [UInt8] {
        var frame = ProtoClientFrame()
        switch self {
        case .hello(let versions, let nonce):
            var hello = ProtoClientHello()
            hello.versions = ProtoVersionRange(versions)
            hello.nonce = Data(nonce)
            frame.hello = hello
        case .authenticate(let authentication):
            var authenticate = ProtoAuthenticate()
            authenticate.user = Data(authentication.user)
            authenticate.device = Data(authentication.device)
            authenticate.signature = Data(authentication.signature)
            frame.authenticate = authenticate
        case .register(let request, let secret, let user, let handle):
            var register = ProtoRegister()
            register.request = request.value
            register.secret = Data(secret)
            register.user = Data(user)
            register.handle = handle.description
            frame.register = register
        case .publish(let request, let record):
            var publish = ProtoPublish()
            publish.request = request.value
            publish.record = ProtoSignedUserRecord(record)
            frame.publish = publish
        case .submit(let submission):
            frame.submit = ProtoSubmission(submission)
        case .acknowledge(let through, let watermarks):
            var acknowledge = ProtoAcknowledge()
            acknowledge.through = through.value
            acknowledge.watermarks = watermarks.map { ProtoWatermark($0) }
            frame.acknowledge = acknowledge
        case .lookup(let request, let key):
            var lookup = ProtoLookup()
            lookup.request = request.value
            lookup.key = ProtoLookupKey(key)
            frame.lookup = lookup
        case .ping(let value):
            var ping = ProtoPing()
            ping.value = value
            frame.ping = ping
        case .publishKeyPackages(let request, let supply):
            frame.publishKeyPackages = ProtoPublishKeyPackages(request, supply)
        case .claimKeyPackages(let request, let users):
            var claim = ProtoClaimKeyPackages()
            claim.request = request.value
            claim.users = users.map { Data($0) }
            frame.claimKeyPackages = claim
        case .fetchGroup(let request, let key):
            var fetch = ProtoFetchGroup()
            fetch.request = request.value
            fetch.hub = Data(key.hub)
            fetch.conversation = Data(key.conversation)
            frame.fetchGroup = fetch
        case .refetch(let key, let from, let through):
            var refetch = ProtoRefetch()
            refetch.hub = Data(key.hub)
            refetch.conversation = Data(key.conversation)
            refetch.from = from.value
            refetch.through = through.value
            frame.refetch = refetch
        case .mark(let sealed, let devices):
            var mark = ProtoMark()
            mark.mark = ProtoSealedMark(sealed)
            mark.devices = devices.map { Data($0) }
            frame.mark = mark
        case .signal(let signal):
            frame.signal = ProtoSignal(signal)
        case .setBlocked(let request, let users, let conversations):
            var blocked = ProtoSetBlocked()
            blocked.request = request.value
            blocked.users = users.map { Data($0) }
            blocked.conversations = conversations.map { ProtoConversationKey($0) }
            frame.setBlocked = blocked
        case .presence(let settings):
            frame.presence = ProtoPresenceSettings(settings)
        case .subscribe(let wishes):
            var subscribe = ProtoSubscribe()
            subscribe.wishes = wishes.map { ProtoPresenceWish($0) }
            frame.subscribe = subscribe
        }
        return frame.written()
    }

    public init(serialized bytes: [UInt8]) throws(WireError) {
        switch try ProtoClientFrame.read(bytes).frame {
        case .hello(let hello): self = try hello.value()
        case .authenticate(let authenticate): self = try authenticate.value()
        case .register(let register): self = try register.value()
        case .publish(let publish):
            self = .publish(RequestID(publish.request), try present(publish.record, publish.hasRecord, "publish.record").value())
        case .submit(let submission): self = .submit(try submission.value())
        case .acknowledge(let acknowledge): self = try acknowledge.value()
        case .lookup(let lookup):
            self = .lookup(RequestID(lookup.request), try present(lookup.key, lookup.hasKey, "lookup.key").value())
        case .ping(let ping): self = .ping(ping.value)
        case .publishKeyPackages(let publish): self = .publishKeyPackages(RequestID(publish.request), try publish.value())
        case .claimKeyPackages(let claim):
            self = .claimKeyPackages(
                RequestID(claim.request), try claim.users.ids("claim_key_packages.users", max: Limits.claimedUsersMax))
        case .fetchGroup(let fetch):
            self = .fetchGroup(RequestID(fetch.request), try conversationKey(fetch.hub, fetch.conversation, of: "fetch_group"))
        case .refetch(let refetch):
            let range = try refetchRange(refetch.from, refetch.through)
            self = .refetch(
                try conversationKey(refetch.hub, refetch.conversation, of: "refetch"), from: range.from, through: range.through)
        case .mark(let mark):
            self = .mark(
                try present(mark.mark, mark.hasMark, "mark.mark").value(),
                devices: try mark.devices.ids("mark.devices", max: Limits.recipientsPerEntryMax))
        case .signal(let signal): self = .signal(try signal.value())
        case .setBlocked(let blocked): self = try blocked.value()
        case .presence(let settings): self = .presence(try settings.value())
        case .subscribe(let subscribe): self = .subscribe(try subscribe.wishes.wishes())
        case nil: throw .unknownFrame
        }
    }
}

extension ProtoClientHello {
    fileprivate func value() throws(WireError) -> ClientFrame {
        .hello(
            versions: try present(versions, hasVersions, "hello.versions").value(), nonce: try nonce.bytes32("hello.nonce"))
    }
}

extension ProtoAuthenticate {
    fileprivate func value() throws(WireError) -> ClientFrame {
        .authenticate(
            Authentication(
                user: try user.id("authenticate.user"), device: try device.id("authenticate.device"),
                signature: try signature.signature("authenticate.signature")))
    }
}

extension ProtoRegister {
    fileprivate func value() throws(WireError) -> ClientFrame {
        guard !secret.isEmpty else { throw .missing("register.secret") }
        return .register(
            RequestID(request), secret: try secret.opaque("register.secret", max: Limits.secretBytesMax),
            user: try user.id("register.user"), handle: try handle.handle("register.handle"))
    }
}

extension ProtoAcknowledge {
    fileprivate func value() throws(WireError) -> ClientFrame {
        .acknowledge(
            through: try through.counter("acknowledge.through"),
            watermarks: try watermarks.values("acknowledge.watermarks", max: Limits.watermarksPerFrameMax) { watermark throws(WireError) in
                try watermark.value()
            })
    }
}

extension ProtoSetBlocked {
    fileprivate func value() throws(WireError) -> ClientFrame {
        .setBlocked(
            RequestID(request), users: try users.ids("set_blocked.users", max: Limits.blockedMax),
            conversations: try conversations.values("set_blocked.conversations", max: Limits.blockedMax) { key throws(WireError) in
                try conversationKey(key.hub, key.conversation, of: "set_blocked.conversations")
            })
    }
}
