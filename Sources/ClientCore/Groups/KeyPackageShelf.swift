internal import Groups
internal import MLS
internal import Vocabulary

/// The private halves of the KeyPackages that this device has published (RFC 9420 §10), from publication until a Welcome uses them.
struct KeyPackageShelf: Sendable {
    private var byReference: [[UInt8]: OwnKeyPackage] = [:]
    /// This is an old copy of the profile: the home may hand out packages whose private halves are gone.
    var isDoubtful = false

    init(_ stored: [[UInt8]]) {
        for bytes in stored {
            guard let own = try? OwnKeyPackage(stored: bytes) else { continue }
            byReference[own.reference] = own
        }
    }

    /// The one that a Welcome was made for.
    func first(of references: [[UInt8]]) -> OwnKeyPackage? { references.lazy.compactMap { byReference[$0] }.first }

    /// The last resort that the home is to hand out: the newest.
    var lastResort: OwnKeyPackage? { lastResorts.last }

    /// There are former ones, for Welcomes that were made before it took their place. Whether the home has it is not known then.
    var hasFormerLastResorts: Bool { lastResorts.count > 1 }

    /// Oldest first.
    private var lastResorts: [OwnKeyPackage] {
        byReference.values.filter(\.package.isLastResort).sorted {
            $0.begin == $1.begin ? $0.reference.lexicographicallyPrecedes($1.reference) : $0.begin < $1.begin
        }
    }

    /// Former last resorts whose successors are so old that no Welcome for them is on its way any more, by reference. Their keys open the
    /// first messages of every group that was joined by them, and must not lie about.
    func outlived(at seconds: UInt64) -> [[UInt8]] {
        let kept = UInt64(ClientLimits.formerLastResortKeptFor.components.seconds)
        return zip(lastResorts, lastResorts.dropFirst()).filter { $1.begin + kept < seconds }.map(\.0.reference)
    }

    /// The private half of a leaf that came of a KeyPackage is still here: others may be given the same one.
    func holds(_ leaf: LeafNode) -> Bool { byReference.values.contains { $0.package.leaf == leaf } }

    mutating func keep(_ own: OwnKeyPackage) { byReference[own.reference] = own }
    mutating func remove(_ reference: [UInt8]) { byReference[reference] = nil }

    /// Those that nobody can use any more (RFC 9420 §7.2), by reference.
    func expired(at seconds: UInt64) -> [[UInt8]] {
        byReference.filter { _, own in
            guard case .keyPackage(let lifetime) = own.package.leaf.source else { return true }
            return lifetime.notAfter < seconds
        }.keys.sorted { $0.lexicographicallyPrecedes($1) }
    }
}

extension OwnKeyPackage {
    /// When it was made, in seconds since 1970: the beginning of its lifetime, which is a little before.
    fileprivate var begin: UInt64 { if case .keyPackage(let lifetime) = package.leaf.source { lifetime.notBefore } else { 0 } }
}
