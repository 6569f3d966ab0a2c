internal import Groups
internal import MLS
package import Vocabulary

/// Keeps the KeyPackages of local devices and hands each out once (RFC 9420 §16.8): who may publish what, who may claim how many.
///
/// A device's row is in memory for the batch that needs it; what changed is written once at the batch's end, in the same commit as the batch,
/// before any answer leaves. So no crash hands one out twice, and what was handed out and never arrived is lost, not repeated.
/// Source: docs/protocol/client-session.md, "KeyPackages".
package struct KeyPackageDesk: Sendable {
    private var stocks: [DeviceID: KeyPackageStock] = [:]
    private var changed: Set<DeviceID> = []

    private var askers = Buckets<UserID>(rate: Limits.claimsPerSecond, burst: Limits.claimBurst)
    private var pairs = Buckets<ClaimPair>(rate: Limits.claimsPerTargetPerSecond, burst: Limits.claimBurstPerTarget)
    private var targets = Buckets<UserID>(rate: Limits.oneTimePerSecond, burst: Limits.oneTimeBurst)
    private var publishers = Buckets<DeviceID>(rate: Limits.publicationsPerSecond, burst: Limits.publicationBurst)

    package init() {}

    // MARK: Rows

    package func isResident(_ device: DeviceID) -> Bool { stocks[device] != nil }

    /// - Parameter seconds: the wall clock's.
    /// - Returns: false for a row that does not decode: the device then has none.
    package mutating func load(_ device: DeviceID, _ row: [UInt8], seconds: UInt64) -> Bool {
        guard stocks[device] == nil else { return true }
        guard var stock = try? KeyPackageStock(row: row) else { return false }
        stock.dropExpired(at: seconds)
        stocks[device] = stock
        return true
    }

    /// What the batch changed; nothing stays in memory.
    package mutating func endBatch() -> [StoreWrite] {
        guard !stocks.isEmpty else { return [] }
        defer {
            stocks = [:]
            changed = []
        }
        return changed.sorted().map { .put(.keyPackages, key: $0.bytes, value: stocks[$0]?.row ?? []) }
    }

    /// One-time packages left.
    package func count(of device: DeviceID) -> Int { stocks[device]?.oneTime.count ?? 0 }

    /// The device is its user's no more.
    package mutating func forget(_ device: DeviceID) -> StoreWrite {
        stocks[device] = nil
        changed.remove(device)
        return .remove(.keyPackages, key: device.bytes)
    }

    // MARK: Publishing

    /// - Parameter seconds: the wall clock's.
    package mutating func publish(_ supply: KeyPackageSupply, by entry: RosterEntry, seconds: UInt64, at now: Instant) -> Refusal? {
        guard supply.packages.count <= Limits.keyPackagesPerFrameMax else {
            return Refusal(.tooLarge, "A publication carries at most \(Limits.keyPackagesPerFrameMax) KeyPackages.")
        }
        // Each costs three signatures to check.
        guard publishers.take(entry.device, at: now) else { return Refusal(.rateLimited, "Too many KeyPackages were published at once.") }
        var fresh: [KeyPackageStock.Item] = []
        for bytes in supply.packages {
            guard let item = Self.check(bytes, of: entry, isLastResort: false, seconds: seconds) else { return Self.invalid }
            fresh.append(item)
        }
        var lastResort: KeyPackageStock.Item?
        if let bytes = supply.lastResort {
            guard let item = Self.check(bytes, of: entry, isLastResort: true, seconds: seconds) else { return Self.invalid }
            lastResort = item
        }
        var stock = stocks[entry.device] ?? KeyPackageStock()
        if let refusal = stock.add(fresh, lastResort: lastResort, replaces: supply.replaces) { return refusal }
        stocks[entry.device] = stock
        changed.insert(entry.device)
        return nil
    }

    private static let invalid = Refusal(
        .keyPackageInvalid, "A KeyPackage is not a valid one of this device, or not of the kind it is published as.")

    private static func check(_ bytes: [UInt8], of entry: RosterEntry, isLastResort: Bool, seconds: UInt64) -> KeyPackageStock.Item? {
        let host = GroupHost(now: seconds, refusal: MemberLeaf.refusal)
        guard bytes.count <= Limits.keyPackageBytesMax, let package = try? KeyPackage.fetched(bytes, host: host),
            MemberLeaf.entry(of: package.leaf) == entry, package.isLastResort == isLastResort,
            // Every conversation requires them (docs/protocol/conversations.md §1).
            Set(MemberLeaf.capabilities.extensions).isSubset(of: package.leaf.capabilities.extensions),
            case .keyPackage(let lifetime) = package.leaf.source
        else { return nil }
        return KeyPackageStock.Item(package: bytes, expires: lifetime.notAfter)
    }

    // MARK: Claiming

    /// Counts a claim, before anything is looked up: known and unknown users cost alike.
    package mutating func admit(_ asker: UserID, claiming target: UserID, at now: Instant) -> Refusal? {
        guard askers.take(asker, at: now), pairs.take(ClaimPair(asker: asker, target: target), at: now) else {
            return Refusal(.rateLimited, "This user was asked for too often of late.")
        }
        return nil
    }

    /// Nothing was looked for: the target's node did not answer, or waits for its devices. Without this whoever has asked in vain all the while
    /// would be refused when it is back. What one user asks in all counts on.
    package mutating func giveBack(_ asker: UserID, claiming target: UserID) { pairs.giveBack(ClaimPair(asker: asker, target: target)) }

    package struct HandedOut: Sendable {
        package var packages: [[UInt8]] = []
        /// The devices that have few one-time packages left now, and how many.
        package var low: [(device: DeviceID, left: Int)] = []
    }

    package func hasNone(of devices: [DeviceID]) -> Bool { devices.allSatisfy { stocks[$0]?.next(oneTime: true) == nil } }

    /// One package of each device that has any.
    /// - Parameters:
    ///   - oneTime: false while nothing can be written: then the last resort alone is given.
    ///   - room: bytes that the answer may still take.
    /// - Returns: nil if they do not fit; then nothing was handed out.
    package mutating func handOut(
        of target: UserID, _ devices: [DeviceID], oneTime: Bool, room: inout Int, at now: Instant
    ) -> HandedOut? {
        let isAllowed = oneTime && targets.take(target, at: now)
        var chosen: [(device: DeviceID, item: KeyPackageStock.Item)] = []
        for device in devices {
            if let item = stocks[device]?.next(oneTime: isAllowed) { chosen.append((device, item)) }
        }
        let size = chosen.reduce(0) { $0 + $1.item.package.count }
        guard size <= room else { return nil }
        room -= size
        var handed = HandedOut()
        for (device, item) in chosen {
            handed.packages.append(item.package)
            let before = count(of: device)
            stocks[device]?.handOut(item)
            let left = count(of: device)
            guard left < before else { continue }
            changed.insert(device)
            if left <= Limits.keyPackagesLow { handed.low.append((device, left)) }
        }
        return handed
    }
}
