/// One proposal of a commit, with who answers for it: the proposer, if it was taken up by reference, else the committer.
public struct CommittedProposal: Equatable, Sendable {
    public let proposal: Proposal
    public let sender: Sender
    public let isByReference: Bool
}

extension PublicState {
    /// Looks into a commit without judging it (RFC 9420 §12.4): for callers that decide who may do what.
    /// - Throws: `unknownProposal` for a reference that is not among the epoch's proposals; `wrongContentType`.
    func committed(in message: MLSMessage) throws(MLSError) -> (sender: Sender, proposals: [CommittedProposal]) {
        guard case .publicMessage(let message) = message.body, case .commit(let commit) = message.content.body
        else { throw .wrongContentType }
        let sender = message.content.sender
        var found: [CommittedProposal] = []
        for item in commit.items {
            switch item {
            case .proposal(let proposal): found.append(CommittedProposal(proposal: proposal, sender: sender, isByReference: false))
            case .reference(let reference):
                guard let known = proposals.first(where: { $0.reference == reference }) else { throw .unknownProposal }
                found.append(CommittedProposal(proposal: known.proposal, sender: known.sender, isByReference: true))
            }
        }
        return (sender, found)
    }
}

extension CommittedProposal {
    /// One that waits for a commit, as if the next one took it up.
    public init(pending proposal: Proposal, by sender: Sender) { self.init(proposal: proposal, sender: sender, isByReference: true) }
}

extension PublicGroup {
    /// What a proposal for this epoch would do; nothing of it is checked yet.
    public func proposal(in message: [UInt8]) throws(MLSError) -> CommittedProposal {
        guard case .publicMessage(let message) = try MLSMessage(message).body, case .proposal(let proposal) = message.content.body
        else { throw .wrongContentType }
        return CommittedProposal(proposal: proposal, sender: message.content.sender, isByReference: false)
    }

    /// What a commit for this epoch says that it does; nothing of it is checked yet.
    public func proposals(in commit: MLSMessage) throws(MLSError) -> (sender: Sender, proposals: [CommittedProposal]) {
        try state.committed(in: commit)
    }
}

extension Group {
    /// As for `PublicGroup`.
    public func proposals(in commit: MLSMessage) throws(MLSError) -> (sender: Sender, proposals: [CommittedProposal]) {
        try current.state.committed(in: commit)
    }
}

extension KeyPackage {
    /// Names the package in a Welcome (§5.2); nil for a suite that is not implemented.
    public var reference: [UInt8]? { cipherSuite.implementation.map { reference($0) } }
}
