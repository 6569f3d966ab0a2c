internal import Cryptography
package import Vocabulary

/// Range-based set reconciliation: two sides find what each lacks by comparing fingerprints of ever smaller ranges.
///
/// Source: Negentropy Protocol V1 (hoytech/negentropy, docs/negentropy-protocol-v1.md); docs/protocol/directory.md §5.
/// The sides keep nothing between messages: the same set may change in between, and what that hides the next exchange finds.
package struct Negentropy: Sendable {
    package static let version: UInt8 = 0x61
    /// A large range that differs is cut into so many in the reference implementation.
    package static let referenceBuckets = 16
    /// What a message may still need once a range has filled it: a skipped bound and the rest's fingerprint.
    private static let reserve = 200

    /// What the initiator learns from one message.
    package struct Differences: Equatable, Sendable {
        /// We have these and the other side does not; rising.
        package var have: [Bytes32] = []
        /// The other side has these and we do not; in the order they came.
        package var need: [Bytes32] = []
    }

    /// Bytes of a message at most; 0: no limit.
    private let frameBytesMax: Int
    private let buckets: Int
    private let listsBelow: Int
    private let asksForLists: Bool

    /// The reference's choices: fewest messages.
    /// - Throws: `frameLimit` below 4096, which could not hold one step.
    package init(frameBytesMax: Int = 0) throws(NegentropyError) {
        try self.init(frameBytesMax: frameBytesMax, buckets: Self.referenceBuckets, listsBelow: 2 * Self.referenceBuckets)
    }

    /// - Parameters:
    ///   - buckets: a range that differs is cut into so many, each with a fingerprint of its own: to find one id costs
    ///     `buckets / log2(buckets)` fingerprints a bit, twice as much with 16 as with 4.
    ///   - listsBelow: a range with fewer ids is listed and not cut; one of less than twice `buckets` is cut in two.
    ///   - asksForLists: the initiator answers for such a range with its fingerprint, so that the other side alone lists it.
    package init(frameBytesMax: Int, buckets: Int, listsBelow: Int, asksForLists: Bool = false) throws(NegentropyError) {
        guard frameBytesMax == 0 || frameBytesMax >= 4096 else { throw .frameLimit(frameBytesMax) }
        (self.frameBytesMax, self.buckets, self.listsBelow) = (frameBytesMax, max(2, buckets), max(2, listsBelow))
        self.asksForLists = asksForLists
    }

    /// Fewest bytes, for some more messages.
    package static func thrifty(frameBytesMax: Int) throws(NegentropyError) -> Negentropy {
        try Negentropy(frameBytesMax: frameBytesMax, buckets: 4, listsBelow: 4, asksForLists: true)
    }

    /// The first message of an exchange.
    package func initiate(_ set: NegentropySet) -> [UInt8] {
        var writer = NegentropyWriter()
        writer.write(byte: Self.version)
        split(set, 0..<set.count, upTo: .infinity, asInitiator: true, into: &writer)
        return writer.bytes
    }

    /// The responder's answer. To a version it does not speak it answers with its own alone.
    package func respond(to message: [UInt8], with set: NegentropySet) throws(NegentropyError) -> [UInt8] {
        var unused: Differences?
        return try answer(message, with: set, collecting: &unused)
    }

    /// The initiator's next message, and what this one taught; no message: both sides now know all.
    package func proceed(with message: [UInt8], _ set: NegentropySet) throws(NegentropyError) -> (next: [UInt8]?, Differences) {
        var differences: Differences? = Differences()
        let next = try answer(message, with: set, collecting: &differences)
        return (next.count > 1 ? next : nil, differences ?? Differences())
    }

    /// - Parameter differences: nil for the responder, who answers with its own ids instead of comparing them.
    private func answer(
        _ message: [UInt8], with set: NegentropySet, collecting differences: inout Differences?
    ) throws(NegentropyError) -> [UInt8] {
        var reader = NegentropyReader(message)
        var output = NegentropyWriter()
        output.write(byte: Self.version)

        let version = try reader.byte()
        guard version == Self.version else {
            guard differences == nil, (0x60...0x6f).contains(version) else { throw .version(version) }
            return output.bytes
        }

        var (lower, lowerBound) = (0, NegentropyBound.start)
        // Ranges with nothing to say are joined, and written only once something follows them.
        var skipping = false
        // Where the ranges written so far end.
        var written = 0
        let nothing = fingerprint(set, 0..<0)
        while !reader.isEmpty {
            let (bound, mode) = (try reader.bound(), try reader.mode())
            var upper = max(lower, set.lowerBound(of: bound.item))
            var part = output.part()
            var isTheirsEmpty = false
            func writeSkipped() {
                guard skipping else { return }
                skipping = false
                part.write(lowerBound)
                part.write(.skip)
            }

            switch mode {
            case .skip:
                skipping = true
            case .fingerprint:
                let theirs = try reader.take(16)
                isTheirsEmpty = theirs.elementsEqual(nothing)
                if theirs.elementsEqual(fingerprint(set, lower..<upper)) {
                    skipping = true
                } else {
                    writeSkipped()
                    split(set, lower..<upper, upTo: bound, asInitiator: differences != nil, into: &part)
                }
            case .idList:
                let theirs = try reader.idList()
                if differences != nil {
                    skipping = true
                    compare(theirs, with: set, lower..<upper, into: &differences)
                } else {
                    writeSkipped()
                    upper = list(set, lower..<upper, upTo: bound, into: &part, after: output.bytes.count)
                    output.append(part)
                    part = output.part()
                    written = upper
                }
            }

            if isTooLong(output.bytes.count + part.bytes.count) {
                // The rest of the set in one fingerprint: the other side goes on from there. Like the reference it leaves out the range
                // just dropped, which differs anyway; but of a side that has nothing there that would ask to agree on nothing.
                let rest = isTheirsEmpty ? written..<set.count : upper..<set.count
                output.write(.infinity)
                output.write(.fingerprint)
                output.write(fingerprint(set, rest))
                break
            }
            if !part.bytes.isEmpty { written = upper }
            output.append(part)
            (lower, lowerBound) = (upper, bound)
        }
        return output.bytes
    }

    private func isTooLong(_ bytes: Int) -> Bool { frameBytesMax > 0 && bytes > frameBytesMax - Self.reserve }

    /// Our ids of the range, as many as fit.
    /// - Returns: where the list ends: before `range.upperBound` if it did not fit.
    private func list(
        _ set: NegentropySet, _ range: Range<Int>, upTo bound: NegentropyBound, into part: inout NegentropyWriter, after written: Int
    ) -> Int {
        var ids: [UInt8] = []
        var (end, endBound, count) = (range.upperBound, bound, 0)
        set.forEach(in: range) { place, item in
            guard !isTooLong(written + ids.count) else {
                (end, endBound) = (place, .before(item))
                return false
            }
            ids += item.id.bytes
            count += 1
            return true
        }
        part.write(endBound)
        part.write(.idList)
        part.write(varint: UInt64(count))
        part.write(ids)
        return end
    }

    private func compare(_ list: ArraySlice<UInt8>, with set: NegentropySet, _ range: Range<Int>, into differences: inout Differences?) {
        var theirs: [Bytes32] = []
        theirs.reserveCapacity(list.count / 32)
        for start in stride(from: list.startIndex, to: list.endIndex, by: 32) {
            if let id = Bytes32(list[start..<(start + 32)]) { theirs.append(id) }
        }
        var unseen = Set(theirs)
        set.forEach(in: range) { _, item in
            if unseen.remove(item.id) == nil { differences?.have.append(item.id) }
            return true
        }
        for id in theirs where unseen.remove(id) != nil { differences?.need.append(id) }
    }

    /// Writes a range as its ids, or as fingerprints of its parts.
    private func split(
        _ set: NegentropySet, _ range: Range<Int>, upTo bound: NegentropyBound, asInitiator: Bool, into writer: inout NegentropyWriter
    ) {
        if range.count < listsBelow, asInitiator, asksForLists, !range.isEmpty {
            // Which differs from the other side's: so that lists it, or goes on cutting where it has more.
            writer.write(bound)
            writer.write(.fingerprint)
            writer.write(fingerprint(set, range))
            return
        }
        guard range.count >= listsBelow else {
            writer.write(bound)
            writer.write(.idList)
            writer.write(varint: UInt64(range.count))
            set.forEach(in: range) { _, item in
                writer.write(item.id.bytes)
                return true
            }
            return
        }
        let buckets = range.count >= 2 * self.buckets ? self.buckets : max(2, range.count / 4)
        let (each, extra) = range.count.quotientAndRemainder(dividingBy: buckets)
        var start = range.lowerBound
        for bucket in 0..<buckets {
            let end = start + each + (bucket < extra ? 1 : 0)
            writer.write(end == range.upperBound ? bound : .between(set[end - 1], set[end]))
            writer.write(.fingerprint)
            writer.write(fingerprint(set, start..<end))
            start = end
        }
    }

    /// The first 16 bytes of SHA-256 over the sum of the ids and their number.
    private func fingerprint(_ set: NegentropySet, _ range: Range<Int>) -> ArraySlice<UInt8> {
        var writer = NegentropyWriter()
        writer.write(set.sum(of: range).bytes)
        writer.write(varint: UInt64(range.count))
        return Hash.sha256(writer.bytes).bytes.prefix(16)
    }
}
