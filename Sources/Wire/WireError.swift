public import Vocabulary

/// What is wrong with bytes that came as a frame.
public enum WireError: Explained, Equatable {
    case tooLarge(bytes: Int, max: Int)
    /// Not protobuf, not UTF-8 in a text field, or nested too deep.
    case undecodable
    case missing(String)
    /// Wrong length, out of bounds, or no such value.
    case badValue(String)
    /// Well-formed, but of a kind that this version does not know: to be ignored, so that newer versions can add to the protocol.
    case unknownFrame

    public var explanation: Explanation {
        Explanation(what: "A frame from the other side was not understood.", why: refusal.detail, remedy: remedy)
    }

    /// What the sender is told before the connection is closed.
    public var refusal: Refusal {
        switch self {
        case .tooLarge(let bytes, let max): Refusal(.tooLarge, "The frame has \(bytes) bytes; \(max) are allowed.")
        case .undecodable: Refusal(.badFrame, "The frame is no protobuf message of this protocol.")
        case .missing(let field): Refusal(.badFrame, "The frame lacks \(field).")
        case .badValue(let field): Refusal(.badFrame, "The frame has a bad value in \(field).")
        case .unknownFrame: Refusal(.badFrame, "The frame is of a kind that this version does not know.")
        }
    }

    private var remedy: String {
        switch self {
        case .unknownFrame: "None is needed; update this program to use what is new."
        case .tooLarge: "The other side must send less at once."
        default: "The other side breaks the protocol (docs/protocol); tell its author."
        }
    }
}
