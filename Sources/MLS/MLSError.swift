public import Vocabulary

/// A rule of RFC 9420 that something broke, or a reason why an operation cannot be. Nothing was changed when one is thrown.
public enum MLSError: Explained, Equatable {
    // Bytes
    case malformed(CodecError)
    case unsupportedCipherSuite(UInt16)
    case decryptionFailed(String)
    /// A cryptographic primitive refused a key; the text says which.
    case badKey(String)
    // Framing
    case wrongGroup
    case wrongEpoch(sent: UInt64, current: UInt64)
    case unknownSender
    case invalidSignature(String)
    case invalidMembershipTag
    case invalidConfirmationTag
    case applicationDataNotEncrypted
    case wrongContentType
    case nonZeroPadding
    case ownMessage
    // Secret tree
    case generationConsumed(UInt32)
    case generationTooFarAhead(UInt32, max: UInt32)
    case epochForgotten(UInt64)
    case generationsExhausted
    // Tree
    case invalidTree(TreeRule)
    case treeHashMismatch
    case parentHashMismatch
    case noLeaf(UInt32)
    case missingTree
    // Leaf nodes and key packages
    case invalidLeaf(LeafRule)
    case identityRefused(String)
    case invalidKeyPackage(KeyPackageRule)
    case duplicateExtension(UInt16)
    // Proposals and commits
    case invalidProposals(ProposalRule)
    case unknownProposal
    case pathRequired
    case invalidPath(PathRule)
    case removedFromGroup
    case groupEnded
    case pendingProposals
    case staleCommit
    case missingPreSharedKey
    // Joining
    case noMatchingKeyPackage
    case invalidGroupInfo(GroupInfoRule)
    case groupAlreadyKnown
    // Export, state
    case exportTooLong(Int)
    case invalidState(String)
    case limitReached(String)
}

public enum TreeRule: Equatable, Sendable {
    case unmergedUnsorted, unmergedOutside, unmergedBlank, unmergedNotUpward
    case parentHash(node: UInt32)
    case duplicateEncryptionKey
}

public enum LeafRule: Equatable, Sendable {
    case wrongSource, signature, lifetime, lifetimeTooLong, sameEncryptionKey
    case versionNotListed, cipherSuiteNotListed, credentialNotListed
    case extensionNotListed(UInt16)
    case defaultListed(UInt16)
    case requiredExtension(UInt16)
    case requiredProposal(UInt16)
    case requiredCredential(UInt16)
    case credentialUnsupportedByMember(UInt32)
    case encryptionKeyInUse, signatureKeyInUse
    case keyLength
}

public enum KeyPackageRule: Equatable, Sendable {
    case version, cipherSuite, signature, initKeyReused
}

public enum ProposalRule: Equatable, Sendable {
    case ownUpdate, removesCommitter
    case sameLeafTwice(UInt32)
    case samePreSharedKeyTwice
    case extensionsTwice, reInitWithOthers, externalInitInside
    case notAMember(UInt32)
    case updateByNonMember
    case preSharedKeyNonce, preSharedKeyUsage, reInitVersion
    case externalInitCount(Int)
    case removesInExternalCommit(Int)
    case notAllowedInExternalCommit, referenceInExternalCommit
    case notAllowedFromExternalSender, noExternalSenders, onlyAddByNewMember
    case requiredCapabilityUnsupported(member: UInt32)
    case tooMany
}

public enum PathRule: Equatable, Sendable {
    case length, ciphertextCount, keyInUse, sameLeafKey, noSecretForUs, keyMismatch, secretLength
}

public enum GroupInfoRule: Equatable, Sendable {
    case signerBlank, signature, cipherSuite
    case extensionUnsupported(UInt16)
    case noExternalKey
    case resumptionEpoch, resumptionMixed, reInitMismatch, branchMismatch, members
    case pathSecretMismatch
}

extension MLSError {
    /// The section of RFC 9420 that has the rule.
    public var section: String { summary.section }

    public var explanation: Explanation {
        let summary = summary
        return Explanation(what: summary.what, why: "RFC 9420 §\(summary.section): \(summary.rule)", remedy: summary.remedy)
    }
}
