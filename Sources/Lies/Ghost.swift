package import Cryptography
package import Groups
package import MLS
package import Vocabulary

/// A commit that puts a device into a group which has no business there: what a hub could make up by itself, or with an insider's help.
package struct Ghost: Sendable {
    package let sender: RosterEntry
    /// MLSMessage with a PublicMessage.
    package let commit: [UInt8]

    package init(sender: RosterEntry, commit: [UInt8]) { (self.sender, self.commit) = (sender, commit) }

    /// Of whom a ghost says it is a device.
    package enum Claim: Sendable {
        /// Of a member, by a certificate that this member did not sign.
        case member(UserID)
        /// Of a user of its own, properly certified.
        case stranger
    }

    package static func identity(
        _ claim: Claim, at seconds: UInt64, using random: inout some RandomNumberGenerator
    ) throws -> (entry: RosterEntry, identity: MemberIdentity) {
        let (key, device) = (SigningKey(using: &random), SigningKey(using: &random))
        let user = if case .member(let user) = claim { user } else { UserID(raw: key.publicKey) }
        let entry = RosterEntry(user: user, device: DeviceID(raw: device.publicKey))
        let certificate = key.sign(DeviceCertificate.body(user: user, device: entry.device), for: .deviceCertificate)
        let lifetime = Lifetime(notBefore: seconds - 3_600, notAfter: seconds + 86_400)
        return (entry, try MemberLeaf.identity(of: entry, device: device, certificate: certificate, lifetime: lifetime))
    }

    /// By external commit: for that the hub needs nobody, since it hands GroupInfo and tree out (RFC 9420 §12.4.3.2).
    package static func entering(
        _ parcel: GroupParcel, as claim: Claim, message: MessageID, at seconds: UInt64, using random: inout some RandomNumberGenerator
    ) throws -> Ghost {
        let (entry, identity) = try identity(claim, at: seconds, using: &random)
        let binding = MessageBinding(message: message, head: parcel.head, chain: parcel.chain)
        let join = try Group.joinExternally(
            parcel.groupInfo, tree: parcel.tree, as: identity, authenticatedData: binding.encoded(), host: credulous(at: seconds),
            using: &random)
        return Ghost(sender: entry, commit: join.message)
    }

    /// By an Add of a member who is in league with the hub.
    package static func added(
        by insider: Group, _ sender: RosterEntry, as claim: Claim, message: MessageID, head: SequenceNumber, chain: Digest,
        at seconds: UInt64, using random: inout some RandomNumberGenerator
    ) throws -> Ghost {
        let (_, identity) = try identity(claim, at: seconds, using: &random)
        var plan = CommitPlan([.add(try OwnKeyPackage.make(member: identity, using: &random).package)])
        plan.authenticatedData = MessageBinding(message: message, head: head, chain: chain).encoded()
        return Ghost(sender: sender, commit: try insider.commit(plan, host: credulous(at: seconds), using: &random).message)
    }

    /// Believes everything.
    private static func credulous(at seconds: UInt64) -> GroupHost { GroupHost(now: seconds, refusal: { _ in nil }) }
}
