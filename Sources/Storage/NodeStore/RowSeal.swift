internal import Cryptography
internal import Glibc
internal import Vocabulary

/// Names rows without naming what they are about, and seals what they hold to the place where they stand.
///
/// A name is 16 bytes of keyed BLAKE2b: without the key nobody can find two that collide, and by chance nobody will. What would collide
/// all the same does not open, since the whole name (for records the key itself too) is part of what is authenticated.
struct RowSeal {
    static let overhead = SealingKey.overhead
    private let rows: SealingKey
    private let names: Secret
    private var random = PooledRandom()
    private var queueNames: [Destination: [UInt8]] = [:]
    private var conversationNames: [ConversationKey: [UInt8]] = [:]
    /// Names kept in memory, of each kind; all are forgotten when they are more.
    private static let namesMax = 65_536

    init(key: SealingKey) throws(StoreError) {
        do {
            rows = try SealingKey(key.derived(for: "posthouse store rows"))
        } catch {
            throw .unusable("storage.key has no 32 bytes.")
        }
        names = key.derived(for: "posthouse store names")
    }

    // MARK: Names

    mutating func name(_ destination: Destination) -> [UInt8] {
        if let known = queueNames[destination] { return known }
        var writer = ByteWriter()
        switch destination {
        case .device(let id):
            writer.write(UInt8(1))
            writer.write(id)
        case .node(let id):
            writer.write(UInt8(2))
            writer.write(id)
        }
        let name = Hash.keyed(writer.bytes, key: names, count: 16)
        if queueNames.count >= Self.namesMax { queueNames = [:] }
        queueNames[destination] = name
        return name
    }

    mutating func name(_ conversation: ConversationKey) -> [UInt8] {
        if let known = conversationNames[conversation] { return known }
        var writer = ByteWriter()
        writer.write(UInt8(3))
        writer.write(conversation)
        let name = Hash.keyed(writer.bytes, key: names, count: 16)
        if conversationNames.count >= Self.namesMax { conversationNames = [:] }
        conversationNames[conversation] = name
        return name
    }

    func name(_ table: StoreTable, key: [UInt8]) -> [UInt8] { Hash.keyed([4, table.rawValue] + key, key: names, count: 16) }

    // MARK: Sealing

    /// What a sealed value belongs to.
    enum Place {
        case sample
        case record(kind: Int64, name: [UInt8])
        case event(conversation: [UInt8], number: Int64)
        /// With the event it refers to, so that it cannot be made to refer to another.
        case entry(queue: [UInt8], position: Int64, event: (conversation: [UInt8], number: Int64)?)

        fileprivate var bytes: [UInt8] {
            var writer = ByteWriter(reservingCapacity: 64)
            switch self {
            case .sample: writer.write(UInt8(0))
            case .record(let kind, let name):
                writer.write(UInt8(1))
                writer.write(UInt64(bitPattern: kind))
                writer.write(opaque: name)
            case .event(let conversation, let number):
                writer.write(UInt8(2))
                writer.write(opaque: conversation)
                writer.write(UInt64(bitPattern: number))
            case .entry(let queue, let position, let event):
                writer.write(UInt8(3))
                writer.write(opaque: queue)
                writer.write(UInt64(bitPattern: position))
                writer.write(optional: event) { writer, event in
                    writer.write(opaque: event.conversation)
                    writer.write(UInt64(bitPattern: event.number))
                }
            }
            return writer.bytes
        }

        fileprivate var shown: String {
            switch self {
            case .sample: "the sample"
            case .record(let kind, _): "a record of table \(kind)"
            case .event: "an event"
            case .entry(_, let position, _): "queue entry \(position)"
            }
        }
    }

    mutating func seal(_ bytes: [UInt8], at place: Place) -> [UInt8] { rows.seal(bytes, place: place.bytes, using: &random) }

    func open(_ box: [UInt8], at place: Place) throws(StoreError) -> [UInt8] {
        do {
            return try rows.open(box, place: place.bytes)
        } catch {
            throw .corrupt("\(place.shown) does not authenticate")
        }
    }
}

/// The system's random bytes, fetched 256 at a time: one system call for ten nonces instead of three for one.
struct PooledRandom: RandomNumberGenerator {
    private var pool = [UInt64](repeating: 0, count: 32)
    private var used = 32

    mutating func next() -> UInt64 {
        if used == pool.count {
            // Fails only where the kernel lacks the call, which is before Linux 3.17.
            precondition(pool.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) } == 0, "no random bytes")
            used = 0
        }
        defer { used += 1 }
        return pool[used]
    }
}
