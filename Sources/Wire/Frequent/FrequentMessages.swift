internal import Vocabulary

// The messages of common.proto that every message on its way is made of, as `FrequentWriter` has them.

extension FrequentWriter {
    private static let conversation = message(32) + message(16)

    // MARK: Submission, with an application message

    static func size(_ submission: Submission, _ epoch: Epoch, _ payload: [UInt8]) -> Int {
        message(16) + conversation + field(UInt64(submission.timeToLive)) + message(application(epoch, payload)) + field(submission.order)
    }

    private static func application(_ epoch: Epoch, _ payload: [UInt8]) -> Int { field(epoch.value) + field(bytes: payload.count) }

    mutating func write(_ submission: Submission, _ epoch: Epoch, _ payload: [UInt8]) {
        field(1, submission.message)
        field(2, submission.conversation)
        field(3, submission.hub)
        field(4, UInt64(submission.timeToLive))
        message(6, Self.application(epoch, payload))
        field(1, epoch.value)
        field(2, payload)
        field(7, submission.order)
    }

    // MARK: Event

    static func size(_ envelope: Envelope) -> Int {
        conversation + field(envelope.number.value) + 2 * message(32) + message(16) + field(UInt64(envelope.kind.rawValue))
            + field(envelope.epoch.value) + field(bytes: envelope.payload.count) + message(32)
    }

    mutating func write(_ envelope: Envelope) {
        write(envelope.key)
        field(3, envelope.number.value)
        field(4, envelope.sender.user)
        field(5, envelope.sender.device)
        field(6, envelope.message)
        field(7, UInt64(envelope.kind.rawValue))
        field(8, envelope.epoch.value)
        field(9, envelope.payload)
        field(10, envelope.chain)
    }

    private mutating func write(_ key: ConversationKey) {
        field(1, key.hub)
        field(2, key.conversation)
    }

    // MARK: Acceptance, Watermark

    static func size(_ acceptance: Acceptance) -> Int { conversation + field(acceptance.number.value) + message(16) + message(32) }

    mutating func write(_ acceptance: Acceptance) {
        write(acceptance.key)
        field(3, acceptance.number.value)
        field(4, acceptance.message)
        field(5, acceptance.chain)
    }

    static func size(_ watermark: Watermark) -> Int { conversation + 2 * message(32) + field(watermark.through.value) + message(64) }

    mutating func write(_ watermark: Watermark) {
        write(watermark.key)
        field(3, watermark.device)
        field(4, watermark.through.value)
        field(5, watermark.chain)
        field(6, watermark.signature.bytes)
    }
}

extension FrequentReader {
    consuming func submission() throws(Other) -> Submission {
        let (message, conversation, hub): (MessageID, ConversationID, NodeID) = (try id(1), try id(2), try id(3))
        guard let timeToLive = UInt32(exactly: try integer(4)) else { throw Other() }
        var application = try self.message(6)
        let epoch: Epoch = try application.counter(1)
        let payload = try application.opaque(2, max: Limits.payloadBytesMax)
        let kind = try application.finish(SubmissionKind.application(epoch: epoch, payload: payload))
        let order = try integer(7)
        guard order <= counterMax else { throw Other() }
        return try finish(
            Submission(message: message, conversation: conversation, hub: hub, kind: kind, timeToLive: timeToLive, order: order))
    }

    consuming func envelope() throws(Other) -> Envelope {
        let (key, number): (ConversationKey, SequenceNumber) = (try conversationKey(), try counter(3))
        let sender = RosterEntry(user: try id(4), device: try id(5))
        let message: MessageID = try id(6)
        guard try integer(7) == UInt64(EventKind.application.rawValue) else { throw Other() }
        let epoch: Epoch = try counter(8)
        let (payload, chain): ([UInt8], Digest) = (try opaque(9, max: Limits.payloadBytesMax), try id(10))
        return try finish(
            Envelope(
                key: key, number: number, sender: sender, message: message, kind: .application, epoch: epoch, payload: payload,
                chain: chain))
    }

    private mutating func conversationKey() throws(Other) -> ConversationKey {
        ConversationKey(hub: try id(1), conversation: try id(2))
    }

    consuming func acceptance() throws(Other) -> Acceptance {
        let acceptance = Acceptance(key: try conversationKey(), number: try counter(3), message: try id(4), chain: try id(5))
        return try finish(acceptance)
    }

    consuming func watermark() throws(Other) -> Watermark {
        let watermark = Watermark(
            key: try conversationKey(), device: try id(3), through: try counter(4), chain: try id(5), signature: try signature(6))
        return try finish(watermark)
    }
}
