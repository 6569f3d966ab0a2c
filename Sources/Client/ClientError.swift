public import Vocabulary

/// What keeps a command from doing its work. The exit codes are those of sysexits.h, and 20 and 21 of our own.
public struct ClientError: Explained, Equatable, Codable {
    public enum Code: Int32, Sendable, Codable {
        case usage = 64
        case data = 65
        case unavailable = 69
        case inputOutput = 74
        case kept = 75
        case permission = 77
        case configuration = 78
        case keyChanged = 20
        case notReached = 21
    }

    public let code: Code
    public let what, why, remedy: String

    public init(_ code: Code, what: String, why: String, remedy: String) {
        (self.code, self.what, self.why, self.remedy) = (code, what, why, remedy)
    }

    public init(_ code: Code, _ explanation: Explanation) {
        self.init(code, what: explanation.what, why: explanation.why, remedy: explanation.remedy)
    }

    public init(_ error: StoreError) {
        let code: Code =
            switch error {
            case .full, .io, .gone: .inputOutput
            case .corrupt: .data
            case .inUse: .unavailable
            case .unusable: .configuration
            }
        // The store's own words are for operators of nodes.
        let (what, remedy) =
            switch error {
            case .full: ("The disk is full.", "Free space, then try again: what was said to be stored is stored.")
            case .io, .gone:
                ("The profile could not be read or written.", "Check the disk, then try again: what was said to be stored is stored.")
            case .corrupt: ("The profile is damaged.", "Look at the disk; put a copy of the folder in its place, or join anew.")
            case .inUse: ("The profile is in use.", "Stop the other process, or name another profile with --profile.")
            case .unusable: ("The profile cannot be used.", "Use the version of courier and the key that it was made with.")
            }
        self.init(code, what: what, why: error.explanation.why, remedy: remedy)
    }

    public init(_ refusal: Refusal) {
        let code: Code =
            switch refusal.code {
            case _ where refusal.code.isTransient: .unavailable
            case .authenticationFailed, .invitationInvalid, .invitationUsed, .invitationExpired: .permission
            case .handleTaken, .blocked, .notOnRoster, .notPermitted: .permission
            case .versionUnsupported, .notHome, .nodeExpelled, .unknownHub: .unavailable
            default: .data
            }
        let unknown = Explanation(
            what: "Nobody has that address.", why: Printable.line(refusal.detail),
            remedy: "Check its spelling; a user who has only just joined may take some seconds to be known everywhere.")
        // Whoever is told this is told the end of what he asked: nobody goes on with it.
        let explanation =
            !refusal.code.isTransient
            ? refusal.explanation
            : Explanation(
                what: refusal.explanation.what, why: refusal.explanation.why,
                remedy: "Run the same command again in a while; if it lasts, tell the operator.")
        self.init(code, refusal.code == .unknownUser ? unknown : explanation)
    }

    public var explanation: Explanation { Explanation(what: what, why: why, remedy: remedy) }
}
