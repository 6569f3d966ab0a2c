package import Vocabulary

/// What is wrong with a Negentropy message, whoever sent it.
package enum NegentropyError: Explained, Equatable {
    case truncated
    case version(UInt8)
    case numberTooLarge
    case numberNotMinimal
    case boundTooLong(Int)
    case boundsDescend
    case mode(UInt64)
    case frameLimit(Int)

    package var explanation: Explanation {
        let why =
            switch self {
            case .truncated: "It ends in the middle of a range."
            case .version(let byte): "Its first byte is \(byte); version 1 is 97."
            case .numberTooLarge: "A number in it does not fit 64 bits."
            case .numberNotMinimal: "A number in it has leading zeros."
            case .boundTooLong(let bytes): "A bound has \(bytes) bytes of an id; an id has 32."
            case .boundsDescend: "A range ends before it begins."
            case .mode(let mode): "A range has the unknown mode \(mode)."
            case .frameLimit(let bytes): "A message of \(bytes) bytes cannot hold a step of the comparison."
            }
        if case .frameLimit = self {
            return Explanation(
                what: "Reconciliation cannot run under this limit.", why: why, remedy: "Set the limit to 0, or to 4096 or more.")
        }
        return Explanation(
            what: "A reconciliation message was refused.", why: why,
            remedy: "Check that both sides speak the Negentropy protocol V1.")
    }
}

enum NegentropyMode: UInt64 {
    case skip = 0
    case fingerprint = 1
    case idList = 2
}

/// Reads a message of any origin: never traps, allocates nothing.
struct NegentropyReader {
    private var bytes: ByteReader
    private var lastTimestamp: UInt64 = 0
    private var lastBound = NegentropyBound.start

    init(_ message: [UInt8]) { bytes = ByteReader(message) }

    var isEmpty: Bool { bytes.isEmpty }

    mutating func take(_ count: Int) throws(NegentropyError) -> ArraySlice<UInt8> {
        do { return try bytes.fixed(count) } catch { throw .truncated }
    }

    mutating func byte() throws(NegentropyError) -> UInt8 {
        guard let byte = try take(1).first else { throw .truncated }
        return byte
    }

    /// Base 128, most significant digit first.
    mutating func varint() throws(NegentropyError) -> UInt64 {
        var value: UInt64 = 0
        var first = true
        while true {
            let byte = try byte()
            guard !first || byte != 0x80 else { throw .numberNotMinimal }
            guard value >> 57 == 0 else { throw .numberTooLarge }
            value = value << 7 | UInt64(byte & 0x7f)
            if byte & 0x80 == 0 { return value }
            first = false
        }
    }

    /// Timestamps are sent as one more than the difference to the one before; 0 is infinity.
    mutating func bound() throws(NegentropyError) -> NegentropyBound {
        let encoded = try varint()
        if encoded == 0 || lastTimestamp == .max {
            lastTimestamp = .max
        } else {
            let (sum, overflow) = lastTimestamp.addingReportingOverflow(encoded - 1)
            guard !overflow, sum < .max else { throw .numberTooLarge }
            lastTimestamp = sum
        }
        let length = try varint()
        guard length <= 32 else { throw .boundTooLong(Int(clamping: length)) }
        let prefix = try take(Int(length))
        let padded = Array(prefix) + [UInt8](repeating: 0, count: 32 - prefix.count)
        let item = NegentropyItem(timestamp: lastTimestamp, id: Bytes32(padded) ?? .zero)
        // Equal ones are legitimate: an id list cut short before its first id.
        guard item >= lastBound.item else { throw .boundsDescend }
        lastBound = NegentropyBound(item: item, idBytes: Int(length))
        return lastBound
    }

    mutating func mode() throws(NegentropyError) -> NegentropyMode {
        let raw = try varint()
        guard let mode = NegentropyMode(rawValue: raw) else { throw .mode(raw) }
        return mode
    }

    /// The ids' bytes, 32 each, not yet taken apart.
    mutating func idList() throws(NegentropyError) -> ArraySlice<UInt8> {
        let count = try varint()
        guard count <= UInt64(bytes.rest.count / 32) else { throw .truncated }
        return try take(Int(count) * 32)
    }
}

/// Writes ranges; what is written by one writer is one message, or the next part of one.
struct NegentropyWriter {
    private(set) var bytes: [UInt8] = []
    private var lastTimestamp: UInt64 = 0

    init(after lastTimestamp: UInt64 = 0) { self.lastTimestamp = lastTimestamp }

    /// A part that may be dropped: it begins where this one ends.
    func part() -> NegentropyWriter { NegentropyWriter(after: lastTimestamp) }

    mutating func append(_ part: NegentropyWriter) {
        bytes += part.bytes
        lastTimestamp = part.lastTimestamp
    }

    mutating func write(byte: UInt8) { bytes.append(byte) }
    mutating func write(_ some: some Sequence<UInt8>) { bytes.append(contentsOf: some) }

    mutating func write(varint value: UInt64) {
        let bits = max(1, 64 - value.leadingZeroBitCount)
        var shift = (bits - 1) / 7 * 7
        while shift > 0 {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)) | 0x80)
            shift -= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: value) & 0x7f)
    }

    mutating func write(_ bound: NegentropyBound) {
        if bound.item.timestamp == .max {
            lastTimestamp = .max
            write(varint: 0)
        } else {
            // Bounds rise, so nothing wraps; if one did not, the message would be nonsense and we would live.
            write(varint: bound.item.timestamp &- lastTimestamp &+ 1)
            lastTimestamp = bound.item.timestamp
        }
        write(varint: UInt64(bound.idBytes))
        if bound.idBytes > 0 { write(bound.item.id.bytes.prefix(bound.idBytes)) }
    }

    mutating func write(_ mode: NegentropyMode) { write(varint: mode.rawValue) }
}
