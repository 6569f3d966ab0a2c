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

    var hasLastResort: Bool { byReference.values.contains { $0.package.isLastResort } }

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
