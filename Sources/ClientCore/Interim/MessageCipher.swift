public import Vocabulary

/// What a message says, before it is sealed.
public struct MessageContent: Hashable, Sendable {
    public let text: String
    /// The sender's wall clock: data that people see.
    public let sent: Timestamp

    public init(text: String, sent: Timestamp) { (self.text, self.sent) = (text, sent) }
}

/// Where a sealed message belongs: it opens, and its signature holds, nowhere else.
public struct MessagePlace: Hashable, Sendable {
    public let key: ConversationKey
    public let sender: RosterEntry
    public let message: MessageID

    public init(key: ConversationKey, sender: RosterEntry, message: MessageID) {
        (self.key, self.sender, self.message) = (key, sender, message)
    }
}

/// A device to seal to, and its published prekey.
public struct RecipientDevice: Hashable, Sendable {
    public let device: DeviceID
    public let prekey: Bytes32

    public init(device: DeviceID, prekey: Bytes32) { (self.device, self.prekey) = (device, prekey) }
}

/// Why a message cannot be sealed or opened.
public enum CipherError: Explained, Equatable {
    case noRecipient
    case tooLong
    case malformed
    case notForThisDevice
    case certificate
    case signature
    case tag

    public var explanation: Explanation {
        switch self {
        case .noRecipient:
            Explanation(
                what: "The message cannot be encrypted.", why: "The contact has published no device key that it could be sealed to.",
                remedy: "Ask the contact to sign in with a current courier, then send again.")
        case .tooLong:
            Explanation(
                what: "The message is too long.", why: "A text has at most \(Limits.textBytesMax) bytes.", remedy: "Send it in parts.")
        case .malformed, .notForThisDevice, .certificate, .signature, .tag:
            Explanation(
                what: "A message cannot be decrypted.", why: "Its sealed form does not hold (\(self)).",
                remedy: "Ask the sender to send it again; if that lasts, one of the two programs is too old or somebody tampers.")
        }
    }
}

/// End-to-end encryption as the device's core sees it. The interim cipher is the one implementation until MLS is in.
public protocol MessageCipher: Sendable {
    func seal(
        _ content: MessageContent, at place: MessagePlace, to devices: [RecipientDevice], using random: inout some RandomNumberGenerator
    ) throws(CipherError) -> [UInt8]
    func open(_ payload: [UInt8], at place: MessagePlace) throws(CipherError) -> MessageContent
}
