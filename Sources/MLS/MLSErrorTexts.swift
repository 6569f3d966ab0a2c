extension MLSError {
    typealias Summary = (what: String, section: String, rule: String, remedy: String)

    private static let drop = "Drop the message; tell its sender's operator if it happens again."
    private static let ours = "Correct the call."

    var summary: Summary {
        switch self {
        case .malformed(let error): ("Bytes are no MLS structure.", "2.1", "\(error)", Self.drop)
        case .unsupportedCipherSuite(let suite):
            ("Cipher suite \(suite) is not implemented.", "5.1", "a session has one suite that all members support.", "Use suite 3 or 1.")
        case .decryptionFailed(let what): ("The \(what) does not decrypt.", "6.3", "the AEAD tag must hold.", Self.drop)
        case .badKey(let what): ("The \(what) is no usable key.", "5.1", "keys have the suite's length and form.", Self.drop)
        case .wrongGroup: ("The message is of another group.", "6", "group_id must be this group's.", "Hand it to the right group.")
        case .wrongEpoch(let sent, let current):
            (
                "The message is of epoch \(sent), the group in epoch \(current).", "12.4.2", "handshakes are taken in their epoch only.",
                "Process what lies between first; if it is older, drop it."
            )
        case .unknownSender: ("The sender is not in the group.", "6.1", "the sender must be a member or an external sender.", Self.drop)
        case .invalidSignature(let what): ("The signature of the \(what) is false.", "6.1", "signatures must verify.", Self.drop)
        case .invalidMembershipTag: ("The membership tag is false.", "6.2", "membership_tag must verify.", Self.drop)
        case .invalidConfirmationTag:
            (
                "The confirmation tag is false.", "12.4.2", "all members must reach the same secrets.",
                "Keep the old epoch and report the commit to the Delivery Service."
            )
        case .applicationDataNotEncrypted:
            ("Application data came as PublicMessage.", "6", "application data must be encrypted.", Self.drop)
        case .wrongContentType: ("The message is of another kind.", "6", "each sender type has its content types.", Self.drop)
        case .nonZeroPadding: ("The padding is not all zeros.", "6.3.1", "padding must be zero bytes.", Self.drop)
        case .ownMessage: ("The message is our own.", "6.3", "own messages cannot be opened.", "For a commit: merge the pending commit.")
        case .generationConsumed(let generation):
            (
                "The key of generation \(generation) is gone.", "9.2", "each key serves once; old ones are deleted.",
                "Drop the message: a replay, or too late."
            )
        case .generationTooFarAhead(let generation, let max):
            ("Generation \(generation) is more than \(max) ahead.", "15.3", "steps forward are limited.", Self.drop)
        case .epochForgotten(let epoch):
            ("The keys of epoch \(epoch) are gone.", "9.2", "past epochs are kept within bounds.", "Drop the message: too late.")
        case .generationsExhausted: ("The ratchet has no generation left.", "9.1", "a generation is used once.", "Commit first.")
        case .invalidTree(let rule):
            ("The tree breaks a rule: \(rule).", "12.4.3.1", "a joiner verifies the whole tree.", "Ask for the tree again.")
        case .treeHashMismatch:
            ("The tree is not the one of the GroupInfo.", "12.4.3.1", "tree_hash must match.", "Ask for the tree again.")
        case .parentHashMismatch:
            ("The parent hash of the path's leaf is wrong.", "7.9.2", "parent_hash must match the merged tree.", Self.drop)
        case .noLeaf(let leaf): ("There is no member at leaf \(leaf).", "12.1.3", "the leaf must not be blank.", Self.ours)
        case .missingTree: ("The tree is missing.", "12.4.3.3", "a joiner needs the ratchet tree.", "Fetch the tree and pass it in.")
        case .invalidLeaf(let rule): ("A leaf node breaks a rule: \(rule).", "7.3", "leaf nodes are validated everywhere.", Self.drop)
        case .identityRefused(let why):
            ("An identity was refused: \(why).", "5.3.1", "credentials are validated with the authentication service.", Self.drop)
        case .invalidKeyPackage(let rule):
            ("A key package breaks a rule: \(rule).", "10.1", "key packages are validated.", "Fetch another one.")
        case .duplicateExtension(let type): ("Extension \(type) is there twice.", "13.4", "one extension of a type.", Self.drop)
        case .invalidProposals(let rule):
            ("The list of proposals breaks a rule: \(rule).", "12.2", "lists of proposals are validated.", Self.drop)
        case .unknownProposal:
            (
                "The commit refers to a proposal that is not here.", "12.4.2", "all proposals must be known.",
                "Fetch the proposal, process it, then the commit again."
            )
        case .pathRequired: ("The commit lacks a path.", "12.4", "these proposals, and an empty list, require one.", Self.drop)
        case .invalidPath(let rule): ("The update path breaks a rule: \(rule).", "7.6", "paths fit the tree exactly.", Self.drop)
        case .removedFromGroup:
            ("We are not in the group any more.", "12.4.2", "a removed member sends nothing.", "Delete the group's state.")
        case .groupEnded: ("The group has ended by ReInit.", "12.4.2", "it must not be used any more.", "Create or join its successor.")
        case .pendingProposals: ("There are proposals to commit first.", "12.4", "data is sent after the commit.", "Commit.")
        case .staleCommit: ("The pending commit is not of this epoch.", "14", "one commit per epoch.", "Drop it and commit anew.")
        case .missingPreSharedKey: ("A pre-shared key is not here.", "8.4", "all PSKs must be available.", "Provide the key and try again.")
        case .noMatchingKeyPackage:
            ("The Welcome is not for this key package.", "12.4.3.1", "an entry must name it.", "Try another key package.")
        case .invalidGroupInfo(let rule):
            ("The GroupInfo breaks a rule: \(rule).", "12.4.3.1", "a joiner verifies it.", "Ask for a new one.")
        case .groupAlreadyKnown:
            ("We are in a group of that id already.", "12.4.3.1", "group_id must be unique.", "Leave the old one first.")
        case .exportTooLong(let count): ("\(count) bytes cannot be exported.", "8.5", "at most 255 hashes.", Self.ours)
        case .invalidState(let what):
            ("The stored state is damaged: \(what).", "", "it must be what was exported.", "Restore it, or rejoin by external commit.")
        case .limitReached(let what): ("A limit is reached: \(what).", "15.3", "receivers bound what they keep.", Self.drop)
        }
    }
}
