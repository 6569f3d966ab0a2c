internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// Whose word a group is that a hub hands out. GroupInfo and tree are public, so a hub can make up others: with the leaves of all members, and
// with one of its own that reads along. What it cannot make up is a member's signature over the group as it is (the GroupInfo's, RFC 9420
// §12.4.3): so we come back in only by that of somebody whom we know to be, or to have been, in it.

/// Who vouches for a group.
enum Voucher {
    case known(UserID)
    /// Somebody who may have come in while we were out, or a hub's invention.
    case unknown
}

/// "Would one of you vouch for the group?": said by signal, so in small groups, to those who are there. Sealed it cannot be: who asks is out.
struct VoucherQuestion {
    /// The first bytes of their ids: who is to do it first comes first.
    let devices: [[UInt8]]

    private static let mark: UInt8 = 0xff
    private static let idBytes = 8

    init(_ devices: [DeviceID]) {
        self.devices = devices.prefix(ClientLimits.vouchersAskedMax).map { Array($0.bytes.prefix(Self.idBytes)) }
    }

    init?(_ signal: Signal) {
        guard signal.sealed.first == Self.mark, (signal.sealed.count - 1) % Self.idBytes == 0 else { return nil }
        let bytes = signal.sealed.dropFirst()
        devices = stride(from: bytes.startIndex, to: bytes.endIndex, by: Self.idBytes).prefix(ClientLimits.vouchersAskedMax).map {
            Array(bytes[$0..<$0 + Self.idBytes])
        }
    }

    var bytes: [UInt8] { [Self.mark] + devices.flatMap(\.self) }

    func rank(of device: DeviceID) -> Int? { devices.firstIndex(of: Array(device.bytes.prefix(Self.idBytes))) }
}

extension Device {
    /// A direct conversation has two users for ever, and we are one of them.
    func isAmongItsOwn(_ entries: [RosterEntry], _ profile: GroupProfile) -> Bool {
        guard profile.isDirect else { return true }
        guard let peer = profile.peer(of: account.userID) else { return false }
        return entries.allSatisfy { $0.user == peer || $0.user == account.userID }
    }

    /// - Returns: nil for a group that no honest hub has: it contradicts what we know.
    mutating func voucher(for outline: PublicGroup, signedBy signer: UInt32, in one: Conversation) -> Voucher? {
        guard let signer = outline.member(signer).flatMap(MemberLeaf.entry), let profile = GroupProfile(outline.context.extensions),
            isAmongItsOwn(outline.members.compactMap { MemberLeaf.entry(of: $0.leaf) }, profile)
        else { return nil }
        // Into what we have only heard of we come as by a Welcome of whoever has signed; what we were in once we know.
        guard !one.isPlaceholder || groups[one.id] != nil else { return .known(signer.user) }
        guard profile.kind == one.profile.kind, profile.succession == one.profile.succession else { return nil }
        let present = Set(outline.members.compactMap { MemberLeaf.entry(of: $0.leaf)?.user })
        return isKnown(signer.user, in: one) && may(signer.user, have: one.profile, be: profile, among: present)
            ? .known(signer.user) : .unknown
    }

    /// Whether by our copy of a group somebody may vouch for what it has become: that others are owners or admins now, or that it has other
    /// rules, is for its owners to say. Who is the only one of them left may have done it in a later self: what is changed is shown, and can be
    /// undone as long as one is an owner.
    private func may(_ voucher: UserID, have old: GroupProfile, be new: GroupProfile, among present: Set<UserID>) -> Bool {
        guard !old.isDirect, voucher != account.userID, old.role(of: voucher) < .owner, !old.isKept(in: new, among: present) else {
            return true
        }
        return present.filter { old.role(of: $0) == .owner } == [account.userID] && new.role(of: account.userID) == .owner
    }

    /// What has changed of a group that we come back into, but for who is in it.
    /// - Parameter place: names where it was seen, so that it is shown once.
    mutating func show(
        changesOf one: Conversation, to profile: GroupProfile, among present: Set<UserID>, at place: Digest, by voucher: UserID
    ) {
        guard !one.profile.isDirect, groups[one.id] != nil else { return }
        let roles = one.profile.changedRoles(in: profile, among: present)
        var changes: [MembershipChange] = roles.isEmpty ? [] : [.roles(roles)]
        if profile.name != one.profile.name { changes.append(.renamed(profile.name)) }
        guard let name = MessageID(Array(Hash.blake2b(one.key.groupID + place.bytes).bytes.prefix(16))) else { return }
        for (index, change) in changes.enumerated() {
            write(
                .message(
                    MessageRecord(
                        message: name.offset(by: index), peer: peer(of: one), author: voucher, conversation: one.key,
                        body: .membership(change), sent: wall, status: MessageStatus(.delivered))))
        }
    }

    /// Whether a group that we are let into again is the one that we were in, by the word of somebody whom we know to be in it.
    mutating func isStill(_ one: Conversation, _ profile: GroupProfile, by adder: UserID) -> Bool {
        profile.kind == one.profile.kind && profile.succession == one.profile.succession && isKnown(adder, in: one)
    }

    /// Of a group: a contact whom the user has taken for one can vouch as well. A profile that was restored from before its owner added
    /// anybody knows nobody else.
    private mutating func isKnown(_ user: UserID, in one: Conversation) -> Bool {
        if user == account.userID || one.profile.peer(of: account.userID) == user { return true }
        // A hub that was restored may be back where they were in.
        if one.passage?.mayReturn == true, one.former.contains(user) { return true }
        if receipts[one.id]?.lines.values.contains(where: { $0.entry.user == user }) == true { return true }
        if roster(one.id).contains(where: { $0.user == user }) || one.intents.contains(where: { $0.adds(any: [user]) }) { return true }
        return contacts[user].map { !$0.isBlocked && ($0.isAccepted || $0.isVerified) } ?? false
    }

    /// Whoever it was that changed the group last: we ask those whom we know to change their keys, which they sign the group with, and see again
    /// after a while. Nothing is sealed meanwhile.
    mutating func awaitVoucher(for one: Conversation, at now: Instant, using random: inout some RandomNumberGenerator) {
        let tries = unvouched[one.id, default: 0] + 1
        unvouched[one.id] = tries
        restingUntil[one.id] = now + ClientLimits.probeAfter + Backoff.delay(attempt: tries, using: &random)
        touched.insert(one.id)
        // Owners first: they can vouch for whatever it has become.
        func rank(_ line: ReceiptLine) -> (Int, SequenceNumber, RosterEntry) {
            (one.profile.role(of: line.entry.user) == .owner ? 0 : 1, line.joined, line.entry)
        }
        let known = (receipts[one.id]?.lines.values.sorted { rank($0) < rank($1) } ?? []).map(\.entry.device)
        if isLive, !known.isEmpty {
            let question = VoucherQuestion(known)
            emit(.send(.signal(Signal(key: one.key, sender: account.entry, epoch: Epoch(unchecked: 0), sealed: question.bytes))))
        }
        guard tries >= ClientLimits.rejoinsHinted else { return }
        let why = "who changed the group last cannot vouch for it here: this device waits until a member whom it knows, or an owner, does"
        tellWaiting(in: one.id, Refusal(.handshakeInvalid, why + advice(one.id)))
    }

    /// Somebody who wants to come back in knows us, and not who changed the group last. Of several who are asked the first does it; the others
    /// come a little later, and find it done.
    mutating func vouch(_ question: VoucherQuestion, _ signal: Signal, at now: Instant, using random: inout some RandomNumberGenerator) {
        let id = signal.key.conversation
        guard let one = conversations[id], one.key == signal.key, one.standing == .accepted, !one.profile.isDirect, !one.isStale,
            receipts[id]?[signal.sender.device]?.entry == signal.sender, let rank = question.rank(of: account.deviceID),
            vouchedAt[id].map({ now - $0 >= ClientLimits.vouchAgainAfter }) ?? true
        else { return }
        vouchedAt[id] = now
        let wait = Duration.milliseconds(Int64(rank) * 250 + Int64.random(in: 20...270, using: &random))
        let intent = Intent(id: random.next() >> 12, .refresh, until: wall + wait)
        change(id) {
            if !$0.intents.contains(where: { $0.change == .refresh }) { $0.intents.append(intent) }
            $0.refreshAt = now + wait
        }
        touched.insert(id)
    }

    // MARK: Who is in

    /// Of these the ones that are out by now are remembered.
    mutating func noteFormer(_ users: Set<UserID>, in id: ConversationID) {
        let gone = users.subtracting(roster(id).map(\.user))
        if !gone.isEmpty { change(id) { $0.note(former: gone) } }
    }

    /// Nobody is in unseen.
    /// - Parameter message: what it is shown behind.
    mutating func show(
        newcomers: Set<UserID>, in id: ConversationID, behind message: MessageID, _ number: SequenceNumber?, by voucher: UserID?
    ) {
        let others = newcomers.subtracting([account.userID])
        guard !others.isEmpty, let one = conversations[id], !one.profile.isDirect else { return }
        write(
            .message(
                MessageRecord(
                    message: message.offset(by: 1), peer: peer(of: one), author: voucher, conversation: one.key,
                    body: .membership(.present(others.sorted())), sent: wall,
                    status: MessageStatus(.delivered, number: number))))
    }
}
