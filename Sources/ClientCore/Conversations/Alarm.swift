public import Vocabulary

/// What a hub, or somebody through it, did that honest ones do not.
public enum Alarm: UInt8, Hashable, Sendable, CaseIterable {
    /// The same conversation id at another hub.
    case otherHub = 1
    /// A number is missing and cannot be had.
    case gap = 2
    /// The chain does not follow from what the hub sent before: something was swapped, changed or put in.
    case chainBroken = 3
    /// A member confirms another history than the one we have.
    case forkedReceipt = 4
    /// An event under the name of somebody who did not make it.
    case foreignSender = 5
    case tooManyConversations = 6
    /// A confirmation that its device did not sign.
    case forgedReceipt = 7
    /// A message's sender has seen another history than the one we have.
    case forkedHistory = 8
    /// The same bytes a second time, or under another message's id.
    case repeated = 9
    /// A change of members, roles or name that the group's rules forbid.
    case forbiddenChange = 10
    /// A handshake that does not hold.
    case badHandshake = 11

    public var name: String { "\(self)" }

    /// For people, one sentence.
    public var text: String {
        switch self {
        case .otherHub: "Another node claims to order this conversation."
        case .gap: "Messages are missing and the hub does not have them."
        case .chainBroken: "The hub changed, swapped or put in messages."
        case .forkedReceipt: "A member confirms another history than the one shown here."
        case .foreignSender: "A message came under the name of somebody who did not write it."
        case .tooManyConversations: "There are too many conversations; a new one was not taken."
        case .forgedReceipt: "A receipt came that its device did not sign."
        case .forkedHistory: "A member saw another history than the one shown here."
        case .repeated: "A message came a second time."
        case .forbiddenChange: "A change came that the group's rules do not allow."
        case .badHandshake: "A change of the group came that does not hold."
        }
    }
}

/// What alarms have in common that say no more than the first of them.
struct AlarmPlace: Hashable {
    let alarm: Alarm
    let hub: NodeID
    let conversation: ConversationID?
}

public struct AlarmRecord: Hashable, Sendable {
    public let alarm: Alarm
    public let key: ConversationKey
    /// The event it is about, where it is about one.
    public let number: SequenceNumber?
    public let time: Timestamp

    public init(alarm: Alarm, key: ConversationKey, number: SequenceNumber?, time: Timestamp) {
        (self.alarm, self.key, self.number, self.time) = (alarm, key, number, time)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(alarm.rawValue)
        writer.write(key)
        writer.write(optional: number) { $0.write($1) }
        writer.write(UInt64(time.milliseconds))
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1, let alarm = Alarm(rawValue: try reader.integer()) else { throw .badValue("an alarm") }
        self.alarm = alarm
        key = try reader.conversationKey()
        number = try reader.optional { reader throws(CodecError) in try reader.counter() }
        time = try reader.timestamp()
        try reader.finish()
    }
}
