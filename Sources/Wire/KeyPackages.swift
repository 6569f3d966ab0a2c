internal import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

// KeyPackages on their way to a home, and from there to who adds the device.

extension ProtoPublishKeyPackages {
    init(_ request: RequestID, _ supply: KeyPackageSupply) {
        self.request = request.value
        replaces = supply.replaces
        packages = supply.packages.map { Data($0) }
        if let lastResort = supply.lastResort { self.lastResort = Data(lastResort) }
    }

    func value() throws(WireError) -> KeyPackageSupply {
        KeyPackageSupply(
            replaces: replaces,
            packages: try packages.contents(
                "publish_key_packages.packages", max: Limits.keyPackagesPerFrameMax, each: Limits.keyPackageBytesMax),
            lastResort: lastResort.isEmpty
                ? nil : try lastResort.opaque("publish_key_packages.last_resort", max: Limits.keyPackageBytesMax))
    }
}

extension ProtoClaimedKeyPackages {
    init(_ claimed: ClaimedKeyPackages) {
        user = Data(claimed.user)
        packages = claimed.packages.map { Data($0) }
        if let refusal = claimed.refusal { self.refusal = ProtoRefusal(refusal) }
    }

    /// Packages or a refusal, never both or neither: a reader needs no rule for which of them counts.
    func value() throws(WireError) -> ClaimedKeyPackages {
        let user: UserID = try user.id("claimed.user")
        guard packages.isEmpty else {
            guard !hasRefusal else { throw .badValue("claimed.refusal") }
            return ClaimedKeyPackages(
                user: user,
                packages: try packages.contents("claimed.packages", max: Limits.devicesPerUserMax, each: Limits.keyPackageBytesMax))
        }
        return ClaimedKeyPackages(user: user, refusal: try present(refusal, hasRefusal, "claimed.refusal").value())
    }
}

extension [ProtoClaimedKeyPackages] {
    init(_ list: [ClaimedKeyPackages]) { self = list.map { ProtoClaimedKeyPackages($0) } }

    func answers() throws(WireError) -> [ClaimedKeyPackages] {
        let answers = try values("key_packages.users", max: Limits.claimedUsersMax) { claimed throws(WireError) in try claimed.value() }
        let bytes = answers.reduce(0) { $1.packages.reduce($0) { $0 + $1.count } }
        guard bytes <= Limits.claimedBytesMax else { throw .badValue("key_packages.users") }
        return answers
    }
}
