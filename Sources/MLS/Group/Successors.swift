internal import Cryptography

/// New groups out of old ones: ReInit (RFC 9420 §11.2) and branches (§11.3). Both begin with a commit that adds everybody and mixes in a
/// resumption PSK of the old group.
extension Group {
    /// The successor after a committed ReInit, with the members of the old group.
    /// - Parameters:
    ///   - packages: fresh key packages of all the other members, of the successor's suite.
    /// - Returns: the new group in epoch 0, and the commit that opens it: merge it, then send its Welcome.
    public func succeed(
        with packages: [KeyPackage], member: MemberIdentity, host: GroupHost, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> (group: Group, commit: PendingCommit) {
        guard let plan = successorParameters else { throw .invalidGroupInfo(.reInitMismatch) }
        let old = members.map(\.leaf.credential)
        let new = packages.map(\.leaf.credential) + [member.credential]
        guard old.allSatisfy({ new.contains($0) }) else { throw .invalidGroupInfo(.members) }
        return try follow(
            .reInit, id: plan.groupID, suite: plan.cipherSuite, extensions: plan.extensions, packages, member, host, using: &random)
    }

    /// A group of some of the members.
    public func branch(
        id: [UInt8], with packages: [KeyPackage], member: MemberIdentity, extensions: [MLSExtension] = [], host: GroupHost,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> (group: Group, commit: PendingCommit) {
        try checkActive()
        let old = members.map(\.leaf.credential)
        guard (packages.map(\.leaf.credential) + [member.credential]).allSatisfy({ old.contains($0) }) else {
            throw .invalidGroupInfo(.members)
        }
        return try follow(
            .branch, id: id, suite: cipherSuite, extensions: extensions, packages, member, host, using: &random)
    }

    private func follow(
        _ usage: PreSharedKeyID.Usage, id newID: [UInt8], suite newSuite: CipherSuite, extensions: [MLSExtension],
        _ packages: [KeyPackage], _ member: MemberIdentity, _ host: GroupHost, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> (group: Group, commit: PendingCommit) {
        guard let key = resumptionSecret(epoch: epoch) else { throw .removedFromGroup }
        let group = try Group.create(
            id: newID, suite: newSuite, member: member, extensions: extensions, host: host, using: &random)
        let suite = try newSuite.provider()
        let psk = PreSharedKeyID(
            .resumption(usage, group: id, epoch: epoch), nonce: random.secret(suite.hashLength).copyBytes())
        let plan = CommitPlan(packages.map { .add($0) } + [.preSharedKey(psk)])
        let commit = try group.draft(plan, linking: (usage, key), host: host, suite, using: &random) {
            (authenticated, _) throws(MLSError) in group.protectPublicly(authenticated, suite)
        }
        return (group, commit)
    }
}
