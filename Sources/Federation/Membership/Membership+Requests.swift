internal import Cryptography
internal import Vocabulary

/// What an admin's node does on request: of its operator, or of a new node with a ticket.
extension Membership {
    mutating func invite(_ id: RequestID, _ invitation: Invitation, using random: inout some RandomNumberGenerator) -> [Effect] {
        guard evaluation.isAdmin(node), let own = evaluation[node]?.name, let genesis = kept.genesis else {
            return [.refused(id, .notAdmin)]
        }
        guard evaluation.member(named: invitation.name) == nil else { return [.refused(id, .nameTaken(invitation.name))] }
        guard invitation.now < invitation.expiry else { return [.refused(id, .expiryPassed)] }
        let secret = random.bytes(Ticket.secretBytes)
        let ticket = Ticket(
            genesis: genesis.signed, inviterName: own, endpoints: invitation.endpoints, secret: secret, name: invitation.name,
            role: invitation.role, expiry: invitation.expiry, key: key)
        guard let ticket else { return [.refused(id, .noGenesis)] }
        let writes = book.add(
            secret: secret, name: invitation.name, role: invitation.role, expiry: invitation.expiry, at: invitation.now)
        guard let writes else { return [.refused(id, .ticketsFull)] }
        return writes.map { .write($0) } + [.invited(id, ticket)]
    }

    /// Admits whoever proves a ticket's secret; a key that comes again with its own used ticket gets the same answer.
    mutating func join(_ request: JoinRequest, from peer: NodeID, at now: Timestamp) -> [Effect] {
        var effects: [Effect] = []
        switch admission(of: request, from: peer, at: now) {
        case .failure(let refusal):
            return effects + [.refuseJoining(peer, refusal), .note(.joinRefused(refusal.code, from: peer))]
        case .success(let role):
            if !isAdmitted(peer, as: request.name, role) {
                let (merged, more) = say(
                    .admit(Admit(federation: federation, subject: peer, name: request.name, role: role, n: nextN)))
                guard !merged.added.isEmpty else {
                    return effects + [.refuseJoining(peer, Refusal(.busy, "The federation's statements have reached their bound."))]
                }
                effects += more
            }
            if let write = book.markUsed(secret: request.secret, by: peer) { effects.append(.write(write)) }
            return effects + [.admitJoining(peer, admissionFrames), .note(.joined(peer, request.name))]
        }
    }

    private func admission(of request: JoinRequest, from peer: NodeID, at now: Timestamp) -> Result<MemberRole, Refusal> {
        guard VersionRange.current.common(with: request.versions) != nil else {
            return .failure(
                Refusal(.versionUnsupported, "This node speaks versions \(VersionRange.current.lowest) to \(VersionRange.current.highest).")
            )
        }
        guard request.federation == federation else { return .failure(Refusal(.otherFederation, "The ticket is for another federation.")) }
        guard evaluation[peer]?.isExpelled != true else {
            return .failure(Refusal(.notMember, "This node's key was expelled from the federation; that is final."))
        }
        let role: MemberRole
        switch book.redeemable(secret: request.secret, name: request.name, by: peer, at: now) {
        case .failure(let refusal): return .failure(refusal)
        case .success(let granted): role = granted
        }
        if isAdmitted(peer, as: request.name, role) { return .success(role) }
        guard evaluation.isAdmin(node) else {
            return .failure(Refusal(.notMember, "The inviting node is no admin of the federation any more."))
        }
        if let holder = evaluation.member(named: request.name), holder.id != peer {
            return .failure(Refusal(.nameTaken, "Another node took the name meanwhile."))
        }
        if let name = evaluation[peer]?.name, name != request.name {
            return .failure(Refusal(.ticketNameMismatch, "This key is a member under another name already."))
        }
        return .success(role)
    }

    private func isAdmitted(_ peer: NodeID, as name: NodeName, _ role: MemberRole) -> Bool {
        guard let member = evaluation[peer], !member.isExpelled else { return false }
        return member.name == name && member.role >= role
    }

    /// Statements of the set, `admitted` with the last of them: when that has come, all has.
    private var admissionFrames: [LinkFrame] {
        let chunks = Self.chunks(kept.all.map(\.signed))
        return chunks.dropLast().map { .statements($0) } + [.admitted(chunks.last ?? [])]
    }

    private var nextN: UInt64 { min(kept.lastN(of: node) + 1, counterMax) }

    mutating func admit(_ id: RequestID, _ subject: NodeID, _ name: NodeName, _ role: MemberRole) -> [Effect] {
        guard evaluation.isAdmin(node) else { return [.refused(id, .notAdmin)] }
        if let member = evaluation[subject] {
            guard !member.isExpelled else { return [.refused(id, .expelled(subject))] }
            // Anew only to raise the role, or to name the unnamed.
            if let held = member.name, held != name || member.role >= role { return [.refused(id, .alreadyMember(subject))] }
        }
        if let holder = evaluation.member(named: name), holder.id != subject { return [.refused(id, .nameTaken(name))] }
        return said(.admit(Admit(federation: federation, subject: subject, name: name, role: role, n: nextN)), for: id)
    }

    mutating func expel(_ id: RequestID, _ subject: NodeID, reason: String, lastN: UInt64?) -> [Effect] {
        guard evaluation.isAdmin(node) else { return [.refused(id, .notAdmin)] }
        guard subject != node else { return [.refused(id, .cannotExpelSelf)] }
        guard let member = evaluation[subject] else { return [.refused(id, .unknownNode(subject))] }
        guard !member.isExpelled else { return [.refused(id, .expelled(subject))] }
        var reason = reason
        while reason.utf8.count > Limits.reasonBytesMax { reason.removeLast() }
        let last = min(lastN ?? kept.lastN(of: subject), counterMax)
        return said(.expel(Expel(federation: federation, subject: subject, lastN: last, reason: reason, n: nextN)), for: id)
    }

    private mutating func said(_ statement: Statement, for id: RequestID) -> [Effect] {
        let (merged, effects) = say(statement)
        return merged.added.isEmpty ? [.refused(id, .statementsFull)] : effects + [.done(id)]
    }
}
