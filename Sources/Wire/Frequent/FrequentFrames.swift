package import Vocabulary

// The frames that a busy node handles all the time: written and read without the generated code, ten times faster, as the same bytes.
// All others, and every one that is not as `FrequentWriter` writes it, go through the generated code, which alone decides what is wrong.

extension ClientFrame {
    /// nil: not one of them.
    package var frequentBytes: [UInt8]? {
        switch self {
        case .submit(let submission):
            guard case .application(let epoch, let payload) = submission.kind else { return nil }
            let size = FrequentWriter.size(submission, epoch, payload)
            var writer = FrequentWriter(capacity: FrequentWriter.message(size))
            writer.message(5, size)
            writer.write(submission, epoch, payload)
            return writer.bytes
        case .acknowledge(let through, let watermarks, let order):
            let size =
                FrequentWriter.field(through.value) + watermarks.reduce(0) { $0 + FrequentWriter.message(FrequentWriter.size($1)) }
                + FrequentWriter.field(order)
            var writer = FrequentWriter(capacity: FrequentWriter.message(size))
            writer.message(6, size)
            writer.field(1, through.value)
            for watermark in watermarks {
                writer.message(2, FrequentWriter.size(watermark))
                writer.write(watermark)
            }
            writer.field(3, order)
            return writer.bytes
        default: return nil
        }
    }

    package init?(frequent bytes: [UInt8]) {
        guard bytes.count <= Limits.frameBytesMax, let frame = bytes.withUnsafeBytes({ try? Self.read(FrequentReader($0)) }) else {
            return nil
        }
        self = frame
    }

    private static func read(_ reader: consuming FrequentReader) throws(FrequentReader.Other) -> ClientFrame {
        switch reader.nextMessage {
        case 5:
            let submission = try reader.message(5).submission()
            return try reader.finish(.submit(submission))
        case 6:
            var inner = try reader.message(6)
            let through: QueuePosition = try inner.counter(1)
            var watermarks: [Watermark] = []
            while inner.nextMessage == 2 {
                guard watermarks.count < Limits.watermarksPerFrameMax else { throw FrequentReader.Other() }
                watermarks.append(try inner.message(2).watermark())
            }
            let order: SequenceNumber = try inner.counter(3)
            return try reader.finish(inner.finish(.acknowledge(through: through, watermarks: watermarks, order: order.value)))
        default: throw FrequentReader.Other()
        }
    }
}

extension NodeFrame {
    package var frequentBytes: [UInt8]? {
        switch self {
        case .sent(let message):
            var writer = FrequentWriter(capacity: 20)
            writer.message(5, FrequentWriter.message(16))
            writer.field(1, message)
            return writer.bytes
        case .entry(let position, let item):
            switch item {
            case .event(let envelope):
                guard envelope.kind == .application else { return nil }
                let size = FrequentWriter.size(envelope)
                var writer = Self.writer(position, size)
                writer.message(2, size)
                writer.write(envelope)
                return writer.bytes
            case .accepted(let acceptance):
                let size = FrequentWriter.size(acceptance)
                var writer = Self.writer(position, size)
                writer.message(3, size)
                writer.write(acceptance)
                return writer.bytes
            case .watermark(let watermark):
                let size = FrequentWriter.size(watermark)
                var writer = Self.writer(position, size)
                writer.message(5, size)
                writer.write(watermark)
                return writer.bytes
            default: return nil
            }
        default: return nil
        }
    }

    private static func writer(_ position: QueuePosition, _ size: Int) -> FrequentWriter {
        let count = FrequentWriter.field(position.value) + FrequentWriter.message(size)
        var writer = FrequentWriter(capacity: FrequentWriter.message(count))
        writer.message(6, count)
        writer.field(1, position.value)
        return writer
    }

    package init?(frequent bytes: [UInt8]) {
        guard bytes.count <= Limits.frameBytesMax, let frame = bytes.withUnsafeBytes({ try? Self.read(FrequentReader($0)) }) else {
            return nil
        }
        self = frame
    }

    private static func read(_ reader: consuming FrequentReader) throws(FrequentReader.Other) -> NodeFrame {
        switch reader.nextMessage {
        case 5:
            var inner = try reader.message(5)
            let message: MessageID = try inner.id(1)
            return try reader.finish(inner.finish(.sent(message)))
        case 6:
            var inner = try reader.message(6)
            let position: QueuePosition = try inner.counter(1)
            let item: DeviceItem
            switch inner.nextMessage {
            case 2: item = .event(try inner.message(2).envelope())
            case 3: item = .accepted(try inner.message(3).acceptance())
            case 5: item = .watermark(try inner.message(5).watermark())
            default: throw FrequentReader.Other()
            }
            return try reader.finish(inner.finish(.entry(position, item)))
        default: throw FrequentReader.Other()
        }
    }
}

extension LinkFrame {
    package var frequentBytes: [UInt8]? {
        switch self {
        case .acknowledge(let through):
            var writer = FrequentWriter(capacity: 16)
            writer.message(3, FrequentWriter.field(through.value))
            writer.field(1, through.value)
            return writer.bytes
        case .entry(let position, let item): return Self.bytes(position, item)
        default: return nil
        }
    }

    private static func bytes(_ position: QueuePosition, _ item: NodeItem) -> [UInt8]? {
        /// - Parameter size: of the item, which is field `number` of the entry.
        func entry(_ number: UInt8, _ size: Int) -> FrequentWriter {
            let count = FrequentWriter.field(position.value) + FrequentWriter.message(size)
            var writer = FrequentWriter(capacity: FrequentWriter.message(count))
            writer.message(2, count)
            writer.field(1, position.value)
            writer.message(number, size)
            return writer
        }
        let id = FrequentWriter.message(32)
        var writer: FrequentWriter
        switch item {
        case .submission(let submission, let sender):
            guard case .application(let epoch, let payload) = submission.kind else { return nil }
            let size = FrequentWriter.size(submission, epoch, payload)
            writer = entry(2, FrequentWriter.message(size) + 2 * id)
            writer.message(1, size)
            writer.write(submission, epoch, payload)
            writer.field(2, sender.user)
            writer.field(3, sender.device)
        case .event(let envelope, let recipients):
            guard envelope.kind == .application else { return nil }
            let size = FrequentWriter.size(envelope)
            writer = entry(3, FrequentWriter.message(size) + recipients.count * id)
            writer.message(1, size)
            writer.write(envelope)
            for device in recipients { writer.field(2, device) }
        case .accepted(let acceptance, let device):
            let size = FrequentWriter.size(acceptance)
            writer = entry(4, FrequentWriter.message(size) + id)
            writer.message(1, size)
            writer.write(acceptance)
            writer.field(2, device)
        case .watermark(let watermark):
            writer = entry(6, FrequentWriter.size(watermark))
            writer.write(watermark)
        case .receipt(let watermark, let devices):
            let size = FrequentWriter.size(watermark)
            writer = entry(7, FrequentWriter.message(size) + devices.count * id)
            writer.message(1, size)
            writer.write(watermark)
            for device in devices { writer.field(2, device) }
        default: return nil
        }
        return writer.bytes
    }

    package init?(frequent bytes: [UInt8]) {
        guard bytes.count <= Limits.frameBytesMax, let frame = bytes.withUnsafeBytes({ try? Self.read(FrequentReader($0)) }) else {
            return nil
        }
        self = frame
    }

    private static func read(_ reader: consuming FrequentReader) throws(FrequentReader.Other) -> LinkFrame {
        switch reader.nextMessage {
        case 3:
            var inner = try reader.message(3)
            let through: QueuePosition = try inner.counter(1)
            return try reader.finish(inner.finish(.acknowledge(through: through)))
        case 2:
            var inner = try reader.message(2)
            let position: QueuePosition = try inner.counter(1)
            let item = try item(&inner)
            return try reader.finish(inner.finish(.entry(position, item)))
        default: throw FrequentReader.Other()
        }
    }

    private static func item(_ entry: inout FrequentReader) throws(FrequentReader.Other) -> NodeItem {
        switch entry.nextMessage {
        case 2:
            var part = try entry.message(2)
            let submission = try part.message(1).submission()
            let sender = RosterEntry(user: try part.id(2), device: try part.id(3))
            return try part.finish(.submission(submission, sender: sender))
        case 3:
            var part = try entry.message(3)
            let envelope = try part.message(1).envelope()
            let recipients: [DeviceID] = try part.ids(2, max: Limits.recipientsPerEntryMax)
            return try part.finish(.event(envelope, recipients: recipients))
        case 4:
            var part = try entry.message(4)
            let acceptance = try part.message(1).acceptance()
            let device: DeviceID = try part.id(2)
            return try part.finish(.accepted(acceptance, device: device))
        case 6: return .watermark(try entry.message(6).watermark())
        case 7:
            var part = try entry.message(7)
            let watermark = try part.message(1).watermark()
            let devices: [DeviceID] = try part.ids(2, max: Limits.rosterDevicesMax)
            return try part.finish(.receipt(watermark, devices: devices))
        default: throw FrequentReader.Other()
        }
    }
}
