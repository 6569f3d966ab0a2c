public import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension LinkFrame {
    /// Without the length that goes before it on the connection. Source: Protos/node_link.proto.
    public func serialized() -> [UInt8] { frequentBytes ?? generatedBytes }

    package var generatedBytes: [UInt8] {
        var frame = ProtoLinkFrame()
        switch self {
        case .hello(let versions, let federation, let readThrough, let statements):
            var hello = ProtoLinkHello()
            hello.versions = ProtoVersionRange(versions)
            hello.federation = Data(federation)
            hello.readThrough = readThrough.value
            hello.statements = Data(statements)
            frame.hello = hello
        case .entry(let position, let item):
            frame.entry = ProtoNodeEntry(position, item)
        case .acknowledge(let through):
            var acknowledge = ProtoLinkAcknowledge()
            acknowledge.through = through.value
            frame.acknowledge = acknowledge
        case .join(let request):
            var join = ProtoJoin()
            join.versions = ProtoVersionRange(request.versions)
            join.federation = Data(request.federation)
            join.secret = Data(request.secret)
            join.name = request.name.description
            frame.join = join
        case .admitted(let statements):
            frame.admitted = ProtoStatements(statements)
        case .statements(let statements):
            frame.statements = ProtoStatements(statements)
        case .statementsDigest(let digest):
            var message = ProtoStatementsDigest()
            message.digest = Data(digest)
            frame.statementsDigest = message
        case .liveness(let message):
            frame.liveness = ProtoLiveness(message)
        case .records(let list):
            var records = ProtoRecords()
            records.records = list.map { ProtoSignedUserRecord($0) }
            frame.records = records
        case .takesPackedRecords: frame.takesPackedRecords = ProtoTakesPackedRecords()
        case .packedRecords(let list): frame.packedRecords = ProtoPackedRecords(list)
        case .reconcile(let exchange, let initiator, let message):
            var reconcile = ProtoReconcile()
            reconcile.exchange = exchange
            reconcile.initiator = initiator
            reconcile.message = Data(message)
            frame.reconcile = reconcile
        case .recordsWanted(let digests):
            var wanted = ProtoRecordsWanted()
            wanted.digests = digests.map { Data($0) }
            frame.recordsWanted = wanted
        case .equivocation(let first, let second):
            var equivocation = ProtoEquivocation()
            equivocation.first = ProtoSignedUserRecord(first)
            equivocation.second = ProtoSignedUserRecord(second)
            frame.equivocation = equivocation
        case .lookup(let request, let key):
            var lookup = ProtoLinkLookup()
            lookup.request = request.value
            lookup.key = ProtoLookupKey(key)
            frame.lookup = lookup
        case .found(let request, let record):
            var found = ProtoLinkFound()
            found.request = request.value
            if let record { found.record = ProtoSignedUserRecord(record) }
            frame.found = found
        case .goodbye(let refusal):
            frame.goodbye = ProtoRefusal(refusal)
        case .claimKeyPackages(let request, let asker, let users):
            var claim = ProtoLinkClaimKeyPackages()
            claim.request = request.value
            claim.by = Data(asker)
            claim.users = users.map { Data($0) }
            frame.claimKeyPackages = claim
        case .keyPackages(let request, let answers):
            var packages = ProtoLinkKeyPackages()
            packages.request = request.value
            packages.users = Array(answers)
            frame.keyPackages = packages
        case .fetchGroup(let request, let key, let asker):
            frame.fetchGroup = ProtoLinkFetchGroup(request, key, asker)
        case .group(let request, let part):
            var group = ProtoLinkGroup()
            group.request = request.value
            group.part = ProtoAnswerPart(part)
            frame.group = group
        case .refusedRequest(let request, let refusal):
            var refused = ProtoLinkRefusedRequest()
            refused.request = request.value
            refused.refusal = ProtoRefusal(refusal)
            frame.refusedRequest = refused
        case .refetch(let key, let device, let from, let through):
            frame.refetch = ProtoLinkRefetch(key, device, from, through)
        case .signal(let signal, let recipients):
            var forwarded = ProtoForwardedSignal()
            forwarded.signal = ProtoSignal(signal)
            forwarded.recipients = recipients.map { Data($0) }
            frame.signal = forwarded
        case .presenceWanted(let wishes):
            var wanted = ProtoPresenceWanted()
            wanted.wishes = wishes.map { ProtoPresenceWish($0) }
            frame.presenceWanted = wanted
        case .presenceUnwanted(let users):
            var unwanted = ProtoPresenceUnwanted()
            unwanted.users = users.map { Data($0) }
            frame.presenceUnwanted = unwanted
        case .presence(let news):
            var presence = ProtoLinkPresence()
            presence.news = news.map { ProtoPresenceNews($0) }
            frame.presence = presence
        }
        return frame.written()
    }

    public init(serialized bytes: [UInt8]) throws(WireError) {
        if let frame = Self(frequent: bytes) { self = frame } else { try self.init(generated: bytes) }
    }

    package init(generated bytes: [UInt8]) throws(WireError) {
        switch try ProtoLinkFrame.read(bytes).frame {
        case .hello(let hello): self = try hello.value()
        case .entry(let entry): self = .entry(try entry.position.counter("entry.position"), try entry.value())
        case .acknowledge(let acknowledge): self = .acknowledge(through: try acknowledge.through.counter("acknowledge.through"))
        case .join(let join): self = .join(try join.value())
        case .admitted(let statements): self = .admitted(try statements.value())
        case .statements(let statements): self = .statements(try statements.value())
        case .statementsDigest(let message): self = .statementsDigest(try message.digest.id("statements_digest.digest"))
        case .liveness(let liveness): self = .liveness(try liveness.value())
        case .records(let records):
            self = .records(
                try records.records.values("records", max: Limits.itemsPerFrameMax) { record throws(WireError) in try record.value() })
        case .takesPackedRecords: self = .takesPackedRecords
        case .packedRecords(let packed): self = .packedRecords(try packed.value())
        case .reconcile(let reconcile):
            self = .reconcile(
                exchange: reconcile.exchange, initiator: reconcile.initiator,
                message: try reconcile.message.opaque("reconcile.message", max: Limits.frameBytesMax))
        case .recordsWanted(let wanted):
            self = .recordsWanted(
                try wanted.digests.values("records_wanted.digests", max: Limits.itemsPerFrameMax) { digest throws(WireError) in
                    try digest.id("records_wanted.digests")
                })
        case .equivocation(let equivocation):
            self = .equivocation(
                try present(equivocation.first, equivocation.hasFirst, "equivocation.first").value(),
                try present(equivocation.second, equivocation.hasSecond, "equivocation.second").value())
        case .lookup(let lookup):
            self = .lookup(RequestID(lookup.request), try present(lookup.key, lookup.hasKey, "lookup.key").value())
        case .found(let found): self = .found(RequestID(found.request), found.hasRecord ? try found.record.value() : nil)
        case .goodbye(let refusal): self = .goodbye(try refusal.value())
        case .claimKeyPackages(let claim):
            self = .claimKeyPackages(
                RequestID(claim.request), by: try claim.by.id("claim_key_packages.by"),
                try claim.users.ids("claim_key_packages.users", max: Limits.claimedUsersMax))
        case .keyPackages(let packages): self = .keyPackages(RequestID(packages.request), try packages.users.answers())
        case .fetchGroup(let fetch): self = try fetch.value()
        case .group(let group):
            self = .group(RequestID(group.request), try present(group.part, group.hasPart, "group.part").value())
        case .refusedRequest(let refused):
            self = .refusedRequest(
                RequestID(refused.request), try present(refused.refusal, refused.hasRefusal, "refused_request.refusal").value())
        case .refetch(let refetch): self = try refetch.value()
        case .signal(let forwarded):
            self = .signal(
                try present(forwarded.signal, forwarded.hasSignal, "signal.signal").value(),
                recipients: try forwarded.recipients.ids("signal.recipients", max: Limits.recipientsPerEntryMax))
        case .presenceWanted(let wanted): self = .presenceWanted(try wanted.wishes.wishes())
        case .presenceUnwanted(let unwanted):
            self = .presenceUnwanted(try unwanted.users.ids("presence_unwanted.users", max: Limits.presenceNewsPerFrameMax))
        case .presence(let presence): self = .presence(try presence.news.news())
        case nil: throw .unknownFrame
        }
    }
}

extension ProtoPackedRecords {
    fileprivate init(_ list: [PackedRecord]) {
        self.init()
        var numbers: [NodeID: Int] = [:]
        for record in list {
            for node in [record.issuer, record.home] where numbers[node] == nil {
                numbers[node] = nodes.count
                nodes.append(Data(node))
            }
        }
        records = list.map { record in Data(record.inFrame { numbers[$0] ?? 0 }) }
    }

    fileprivate func value() throws(WireError) -> [PackedRecord] {
        let known: [NodeID] = try nodes.ids("packed_records.nodes", max: 2 * Limits.itemsPerFrameMax)
        return try records.values("packed_records.records", max: Limits.itemsPerFrameMax) { bytes throws(WireError) in
            guard let record = try? PackedRecord(inFrame: Array(bytes), nodes: known) else { throw .badValue("packed_records.records") }
            return record
        }
    }
}

extension ProtoLinkHello {
    fileprivate func value() throws(WireError) -> LinkFrame {
        .hello(
            versions: try present(versions, hasVersions, "hello.versions").value(),
            federation: try federation.id("hello.federation"), readThrough: try readThrough.counter("hello.read_through"),
            statements: try statements.id("hello.statements"))
    }
}

extension ProtoJoin {
    fileprivate func value() throws(WireError) -> JoinRequest {
        guard !secret.isEmpty else { throw .missing("join.secret") }
        return JoinRequest(
            versions: try present(versions, hasVersions, "join.versions").value(), federation: try federation.id("join.federation"),
            secret: try secret.opaque("join.secret", max: Limits.secretBytesMax), name: try name.nodeName("join.name"))
    }
}

extension ProtoLinkFetchGroup {
    fileprivate init(_ request: RequestID, _ key: ConversationKey, _ asker: RosterEntry) {
        self.request = request.value
        hub = Data(key.hub)
        conversation = Data(key.conversation)
        user = Data(asker.user)
        device = Data(asker.device)
    }

    fileprivate func value() throws(WireError) -> LinkFrame {
        .fetchGroup(
            RequestID(request), try conversationKey(hub, conversation, of: "fetch_group"),
            by: RosterEntry(user: try user.id("fetch_group.user"), device: try device.id("fetch_group.device")))
    }
}

extension ProtoLinkRefetch {
    fileprivate init(_ key: ConversationKey, _ device: DeviceID, _ from: SequenceNumber, _ through: SequenceNumber) {
        hub = Data(key.hub)
        conversation = Data(key.conversation)
        self.device = Data(device)
        self.from = from.value
        self.through = through.value
    }

    fileprivate func value() throws(WireError) -> LinkFrame {
        let range = try refetchRange(from, through)
        return .refetch(
            try conversationKey(hub, conversation, of: "refetch"), by: try device.id("refetch.device"), from: range.from,
            through: range.through)
    }
}
