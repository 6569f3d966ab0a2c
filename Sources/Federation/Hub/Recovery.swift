internal import Vocabulary

/// Where a conversation stands that a restored hub has not yet let go on.
struct Recovery: Equatable, Sendable {
    /// The restoration of the node that it is about.
    let id: UInt64
    /// What the copy had.
    let from: SequenceNumber
    let chain: Digest
    /// The event that said so.
    let began: SequenceNumber

    // In memory alone: after a restart the devices are asked once more.
    /// Until then answers are waited for; nil: nobody was asked yet in this process.
    var deadline: Instant?
    var testimonies: [DeviceID: Testimony] = [:]
    /// Devices that were asked for the group, and what the last one has sent of it.
    var asked: Set<DeviceID> = []
    var answering: (device: DeviceID, bytes: [UInt8])?

    init(id: UInt64, from: SequenceNumber, chain: Digest, began: SequenceNumber) {
        (self.id, self.from, self.chain, self.began) = (id, from, chain, began)
    }

    /// A number beyond all that can have been given, also since another restoration of the same copy: it follows the clock, as queue
    /// positions do (decision 1). No conversation gets a thousand events in a millisecond.
    static func begin(after head: SequenceNumber, _ restoration: UInt64) -> SequenceNumber {
        let product = restoration.multipliedReportingOverflow(by: 1_024)
        let clock = product.overflow || product.partialValue > counterMax ? 0 : product.partialValue
        return SequenceNumber(unchecked: max(min(head.value, counterMax - 1) + 1, clock))
    }

    /// The highest number that anybody has told of.
    var head: SequenceNumber { testimonies.values.reduce(from) { max($0, $1.watermark?.through ?? 0) } }

    /// Whom to ask for the group: one of those of whom most say the same, so that a single liar counts for one; then the newest.
    func candidate(aheadOf epoch: Epoch) -> DeviceID? {
        let ahead = testimonies.filter { $0.value.epoch > epoch && !asked.contains($0.key) }
        func supporters(_ testimony: Testimony) -> Int {
            testimonies.values.count { $0.epoch == testimony.epoch && $0.group == testimony.group }
        }
        return ahead.max {
            (supporters($0.value), $0.value.epoch, $1.key) < (supporters($1.value), $1.value.epoch, $0.key)
        }?.key
    }

    static func == (x: Recovery, y: Recovery) -> Bool { (x.id, x.from, x.began) == (y.id, y.from, y.began) }
}

extension Recovery {
    init(from reader: inout ByteReader) throws(CodecError) {
        id = try reader.counter(SequenceNumber.self).value
        (from, chain, began) = (try reader.counter(), try reader.id(), try reader.counter())
    }

    func write(to writer: inout ByteWriter) {
        writer.write(id)
        writer.write(from)
        writer.write(chain)
        writer.write(began)
    }
}
