public import Vocabulary

/// What the directory is told.
public enum DirectoryInput: Equatable, Sendable {
    /// The federation as membership evaluates it now. Expulsion is final: who was expelled once stays so.
    case membersChanged(active: [NodeID], expelled: [NodeID])
    case linkUp(NodeID)
    case linkDown(NodeID)
    /// One of the frames that are the directory's: records, takesPackedRecords, packedRecords, reconcile, recordsWanted, equivocation, lookup, found. Others do nothing.
    case frameReceived(LinkFrame, from: NodeID)
    /// A user of this node published a record, and this node signed it. Whether it was taken shows in `signedRecord(of:)`.
    case published(SignedUserRecord)
    /// A record that this node has signed as home, and does not have. Whoever shows it, it is worth what a peer sends.
    case returned(SignedUserRecord)
    /// A device signed in as one of this user's, who lives here. Another user's list of devices may name it too: that user alone signs the list.
    case deviceProven(DeviceID, of: UserID)
    /// - Parameter issuer: the node whose name the address carries. The answer is `found` or `notFound` with the same id.
    case lookup(RequestID, Address, issuer: NodeID)
    case deadlineReached
}

/// What the directory orders.
public enum DirectoryEffect: Equatable, Sendable {
    case write(StoreWrite)
    case send(NodeID, LinkFrame)
    /// The record of a user is another one now; nil: none.
    case changed(UserID, from: NodeID?, to: NodeID?)
    /// The record that showed a handle of this node's to be the user's is gone, or names another.
    case nameLeft(Handle, by: UserID)
    /// Devices that were of a user of this node and are none's any more.
    case left([DeviceID], of: UserID)
    case found(RequestID, SignedUserRecord)
    case notFound(RequestID, LookupFailure)
    case note(DirectoryNote)
}

public enum LookupFailure: Hashable, Sendable {
    /// The issuer says so, or is this node.
    case unknown
    /// No link to the issuer, or no answer in time.
    case unreachable
    /// `Limits.lookupsPendingMax` wait already.
    case busy
}

/// For logs and metrics; decides nothing.
public enum DirectoryNote: Hashable, Sendable {
    /// A peer sent (or, without one, a user of ours published) something that was neither kept nor passed on.
    case refused(DirectoryRefusal, from: NodeID?)
    /// A user's key signed two histories; the proof is kept and the user is not resolved any more.
    case equivocation(UserID)
    /// An issuer certified one handle for several users: the one with the lowest id keeps the name.
    case handleConflict(issuer: NodeID)
    case exchangeTimedOut(NodeID)
}

/// Why something from a peer was refused; each is counted.
public enum DirectoryRefusal: String, Error, Hashable, Comparable, Sendable, CaseIterable {
    /// It does not decode, or a signature in it does not hold.
    case forged
    case otherFederation
    /// Older than what is held, and nobody asked for it.
    case rolledBack
    /// Its user's key is proven to cheat.
    case equivocated
    /// Its home or issuer is no member that this node knows of yet. No fault of the peer.
    case unknownMember
    case expelledHome
    /// A published record that does not follow the one held.
    case stale
    /// More users of one handle than `Limits.usersPerHandleMax`.
    case handleConflict
    /// The replica, or the list of proofs, is full.
    case full
    /// A proof that proves nothing.
    case badProof
    /// A reconciliation message that is none.
    case badReconciliation
    /// An answer to no question.
    case unasked

    public static func < (x: DirectoryRefusal, y: DirectoryRefusal) -> Bool { x.rawValue < y.rawValue }
}
