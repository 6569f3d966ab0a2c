package import Vocabulary

/// How far each local device has counted what it sealed: a device that knows of less is an old copy of itself, and is told so by `ready`.
package struct SubmissionOrders: Sendable {
    private var highest: [DeviceID: UInt64] = [:]
    private var raised: Set<DeviceID> = []
    /// Rows that do not decode.
    package private(set) var unreadable = 0

    /// - Parameter rows: of `StoreTable.submissionOrder`.
    package init(rows: [(key: [UInt8], value: [UInt8])] = []) {
        for (key, value) in rows {
            var reader = ByteReader(value)
            if let device = DeviceID(key), let order = try? reader.counter(SequenceNumber.self) {
                highest[device] = order.value
            } else {
                unreadable += 1
            }
        }
    }

    package subscript(device: DeviceID) -> UInt64 { highest[device] ?? 0 }

    package mutating func raise(_ device: DeviceID, to order: UInt64) {
        guard order > self[device], order <= counterMax else { return }
        highest[device] = order
        raised.insert(device)
    }

    package mutating func forget(_ device: DeviceID) -> StoreWrite {
        highest[device] = nil
        raised.remove(device)
        return .remove(.submissionOrder, key: device.bytes)
    }

    /// One row a device and batch, however much it sent.
    package mutating func endBatch() -> [StoreWrite] {
        guard !raised.isEmpty else { return [] }
        defer { raised.removeAll(keepingCapacity: true) }
        return raised.sorted().map { device in
            var row = ByteWriter()
            row.write(self[device])
            return .put(.submissionOrder, key: device.bytes, value: row.bytes)
        }
    }
}
