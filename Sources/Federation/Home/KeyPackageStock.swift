internal import Cryptography
package import Vocabulary

/// The KeyPackages of one device that its home holds: one row of `StoreTable.keyPackages`.
package struct KeyPackageStock: Equatable, Sendable {
    package struct Item: Equatable, Sendable {
        package let package: [UInt8]
        /// Seconds since 1970: nobody would add the device by it later (RFC 9420 §7.2).
        package let expires: UInt64

        package init(package: [UInt8], expires: UInt64) { (self.package, self.expires) = (package, expires) }
    }

    /// Oldest first.
    package private(set) var oneTime: [Item] = []
    package private(set) var lastResort: Item?
    /// Of packages that were handed out, newest last: the start of their hashes.
    private var spent: [Bytes16] = []

    package init() {}

    var bytes: Int { oneTime.reduce(lastResort?.package.count ?? 0) { $0 + $1.package.count } }

    /// Takes in a publication. One that is repeated changes nothing, even if some of it was handed out in between.
    /// - Returns: a refusal if it would be too much; then nothing changed.
    package mutating func add(_ fresh: [Item], lastResort: Item?, replaces: Bool) -> Refusal? {
        var next = self
        if replaces { (next.oneTime, next.lastResort) = ([], nil) }
        let spent = Set(spent)
        var known = Set(next.oneTime.map(\.package))
        for item in fresh where !spent.contains(Self.mark(item.package)) && known.insert(item.package).inserted {
            next.oneTime.append(item)
        }
        if let lastResort { next.lastResort = lastResort }
        guard next.oneTime.count <= Limits.keyPackagesPerDeviceMax, next.bytes <= Limits.keyPackageBytesPerDeviceMax else {
            return Refusal(
                .tooLarge,
                "A home keeps \(Limits.keyPackagesPerDeviceMax) KeyPackages of a device, and \(Limits.keyPackageBytesPerDeviceMax) bytes of them."
            )
        }
        self = next
        return nil
    }

    mutating func dropExpired(at seconds: UInt64) {
        oneTime.removeAll { $0.expires < seconds }
        if let item = lastResort, item.expires < seconds { lastResort = nil }
    }

    /// What would be handed out next.
    func next(oneTime isAllowed: Bool) -> Item? { (isAllowed ? oneTime.first : nil) ?? lastResort }

    /// Takes out what `next` gave. The last resort stays.
    mutating func handOut(_ item: Item) {
        guard let index = oneTime.firstIndex(of: item) else { return }
        oneTime.remove(at: index)
        spent.append(Self.mark(item.package))
        spent.removeFirst(max(0, spent.count - Limits.keyPackagesSpentMax))
    }

    private static func mark(_ package: [UInt8]) -> Bytes16 { Bytes16(Hash.blake2b(package).bytes.prefix(16)) ?? Bytes16(0, 0) }

    // MARK: The row

    package var row: [UInt8] {
        var writer = ByteWriter(reservingCapacity: bytes + 64)
        writer.write(UInt16(1))
        writer.write(vector: oneTime) { $0.write($1) }
        writer.write(optional: lastResort) { $0.write($1) }
        writer.write(vector: spent) { $0.write(fixed: $1.bytes) }
        return writer.bytes
    }

    package init(row: [UInt8]) throws(CodecError) {
        var reader = ByteReader(row)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of KeyPackages") }
        oneTime = try reader.vector(max: Limits.keyPackagesPerDeviceMax) { reader throws(CodecError) in try reader.stockItem() }
        lastResort = try reader.optional { reader throws(CodecError) in try reader.stockItem() }
        spent = try reader.vector(max: Limits.keyPackagesSpentMax) { reader throws(CodecError) in
            Bytes16(try reader.fixed(16)) ?? Bytes16(0, 0)
        }
        try reader.finish()
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ item: KeyPackageStock.Item) {
        write(item.expires)
        write(opaque: item.package)
    }
}

extension ByteReader {
    fileprivate mutating func stockItem() throws(CodecError) -> KeyPackageStock.Item {
        let expires = try integer(UInt64.self)
        return KeyPackageStock.Item(package: Array(try opaque(max: Limits.keyPackageBytesMax)), expires: expires)
    }
}
