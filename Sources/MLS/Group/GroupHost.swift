public import Cryptography
public import Vocabulary

/// What a group asks of the program around it: the time, who may be who, keys shared otherwise, and bounds. Passed with each call
/// and never kept, so that a group is a plain value.
public struct GroupHost: Sendable {
    /// Seconds since 1970.
    public var now: UInt64
    /// The authentication service (RFC 9420 §5.3.1), asked for every leaf everywhere: nil when the claim holds, else the reason to refuse.
    public var refusal: @Sendable (IdentityClaim) -> String?
    /// An external PSK, or the resumption PSK of another group.
    public var preSharedKey: @Sendable (PreSharedKeyID.Kind) -> Secret?
    /// Whether we are in a group of this id already (§12.4.3.1).
    public var knows: @Sendable (_ groupID: [UInt8]) -> Bool
    public var bounds: Bounds
    /// Runs so many independent pieces of work and returns when all are done, on more than one core if it likes; for the signatures of a
    /// joined tree. Nil: one after the other.
    public var spread: (@Sendable (_ pieces: Int, _ work: @escaping @Sendable (_ piece: Int) -> Void) -> Void)?
    /// Signatures that held before. Nil: each is checked each time.
    public var signatures: (any SignatureMemory)?

    public init(
        now: UInt64, refusal: @escaping @Sendable (IdentityClaim) -> String?,
        preSharedKey: @escaping @Sendable (PreSharedKeyID.Kind) -> Secret? = { _ in nil },
        knows: @escaping @Sendable ([UInt8]) -> Bool = { _ in false }, bounds: Bounds = Bounds()
    ) {
        (self.now, self.refusal, self.preSharedKey, self.knows, self.bounds) = (now, refusal, preSharedKey, knows, bounds)
    }

    /// What a group keeps and accepts. Defaults in `Limits`.
    public struct Bounds: Hashable, Sendable {
        /// Generations that a message may skip, and skipped keys kept, per sender and kind. Raising it lets one message cost as many hashes.
        public var generationsForward: UInt32
        /// Epochs whose late messages can still be opened. Each keeps its keys readable on this device for that long.
        public var pastEpochs: Int
        /// Seconds for which a past epoch is kept at most.
        public var pastEpochSeconds: UInt64
        /// Past epochs whose resumption PSK is kept.
        public var resumptionEpochs: Int
        /// Proposals held for one epoch.
        public var proposals: Int
        /// Seconds from `notBefore` to `notAfter` of a key package at most (§7.2).
        public var lifetimeSeconds: UInt64
        /// Whether the lifetime of others' leaves is checked on receipt too. Then one idle member can bar all joins: off by default.
        public var checksReceivedLifetimes: Bool

        public init(
            generationsForward: UInt32 = Limits.mlsGenerationsForward, pastEpochs: Int = Limits.mlsPastEpochs,
            pastEpochSeconds: UInt64 = UInt64(Limits.mlsPastEpochAge.components.seconds),
            resumptionEpochs: Int = Limits.mlsResumptionEpochs, proposals: Int = Limits.mlsProposalsMax,
            lifetimeSeconds: UInt64 = UInt64(Limits.mlsLifetimeMax.components.seconds), checksReceivedLifetimes: Bool = false
        ) {
            (self.generationsForward, self.pastEpochs, self.pastEpochSeconds) = (generationsForward, pastEpochs, pastEpochSeconds)
            (self.resumptionEpochs, self.proposals, self.lifetimeSeconds) = (resumptionEpochs, proposals, lifetimeSeconds)
            self.checksReceivedLifetimes = checksReceivedLifetimes
        }
    }
}

/// A credential with the key it is claimed for, to be judged by the caller.
public struct IdentityClaim: Sendable {
    public enum Occasion: Hashable, Sendable {
        /// A key package that we are about to add.
        case keyPackage
        case add
        /// The leaf takes the place of `previous`: the new identity must be its successor.
        case update(previous: LeafNode)
        case commit(previous: LeafNode)
        /// `previous` when the newcomer takes an old leaf of its own with it.
        case externalCommit(previous: LeafNode?)
        /// A member that was there when we joined.
        case join
        case externalSender
    }

    public let groupID: [UInt8]?
    public let credential: Credential
    public let signatureKey: [UInt8]
    public let extensions: [MLSExtension]
    public let occasion: Occasion
}
