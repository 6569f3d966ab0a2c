/// KeyPackages that a device leaves at its home for others to add it by (RFC 9420 §10, §16.8).
public struct KeyPackageSupply: Hashable, Sendable {
    /// Whether what the home holds goes: a device that was restored has no private keys for some of it.
    public let replaces: Bool
    /// MLSMessages with a KeyPackage each, handed out once.
    public let packages: [[UInt8]]
    /// Handed out when no other is left; nil keeps the one that is there.
    public let lastResort: [UInt8]?

    public init(replaces: Bool, packages: [[UInt8]], lastResort: [UInt8]?) {
        (self.replaces, self.packages, self.lastResort) = (replaces, packages, lastResort)
    }
}

/// The answer for one user: a KeyPackage of each device, or why there is none. An unknown user, one who blocked the asker and one
/// who has no device left to add are told alike.
public struct ClaimedKeyPackages: Hashable, Sendable {
    public let user: UserID
    public let packages: [[UInt8]]
    public let refusal: Refusal?

    public init(user: UserID, packages: [[UInt8]]) { (self.user, self.packages, refusal) = (user, packages, nil) }
    public init(user: UserID, refusal: Refusal) { (self.user, packages, self.refusal) = (user, [], refusal) }
    public init(user: UserID, packages: [[UInt8]], refusal: Refusal?) {
        (self.user, self.packages, self.refusal) = (user, packages, refusal)
    }
}
