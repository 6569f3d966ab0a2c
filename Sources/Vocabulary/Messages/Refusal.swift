/// Why something was refused, as it travels: a stable number for programs and a sentence for people.
/// Source: docs/protocol/client-session.md, "Refusals".
public struct Refusal: Explained, Hashable {
    public enum Code: UInt32, Hashable, Sendable, CaseIterable {
        /// A code that this version does not know.
        case unknown = 0
        case versionUnsupported = 1
        case badFrame = 2
        case tooLarge = 3
        case rateLimited = 4
        case busy = 5
        case shuttingDown = 6

        case authenticationFailed = 10
        case notHome = 11
        case replacedByNewerSession = 12

        case invitationInvalid = 20
        case invitationUsed = 21
        case invitationExpired = 22
        case handleTaken = 23
        case handleInvalid = 24
        case recordInvalid = 25
        case recordStale = 26
        case unknownUser = 27

        case unknownConversation = 30
        case conversationExists = 31
        case notOnRoster = 32
        case rosterInvalid = 33
        case conversationFull = 34
        case queueFull = 35
        case diskFull = 36
        case expired = 37
        case unknownHub = 38
        case messageIdReused = 39
        case nodeExpelled = 40
        case blocked = 41
        /// Of another epoch than the hub's, which `epoch` tells: take the commits in between, then seal or commit anew.
        case staleEpoch = 42
        /// A commit, proposal or GroupInfo that breaks a rule of RFC 9420.
        case handshakeInvalid = 43
        /// The group's roles do not let the sender do that.
        case notPermitted = 44
        /// The conversation's pending proposals are not in the commit.
        case proposalsMissing = 45
        case keyPackageInvalid = 46
        /// The hub was restored from a backup and finds out where the conversation stands; or what was sealed before is too old for it.
        case recovering = 47
        /// Said by a device to itself: the group goes on in another one.
        case conversationReset = 48

        case ticketInvalid = 50
        case ticketUsed = 51
        case ticketExpired = 52
        case ticketNameMismatch = 53
        case otherFederation = 54
        case notMember = 55
        case nameTaken = 56

        /// Of a message that failed: somebody may have it all the same.
        public var leavesOpen: Bool { self == .unknown || self == .conversationReset }

        /// Worth trying again later with the same bytes; everything else is definite.
        public var isTransient: Bool {
            switch self {
            case .rateLimited, .busy, .shuttingDown, .queueFull, .diskFull, .conversationFull, .replacedByNewerSession,
                .recovering:
                true
            default: false
            }
        }
    }

    public let code: Code
    /// One sentence in English, at most `Limits.reasonBytesMax` bytes; untrusted when it came from outside.
    public let detail: String
    /// With `staleEpoch`: the hub's.
    public let epoch: Epoch?

    public init(_ code: Code, _ detail: String, epoch: Epoch? = nil) {
        self.code = code
        self.epoch = epoch
        // Whole scalars only: half of one would decode as a longer U+FFFD, past the bound.
        var cut = detail.utf8.prefix(Limits.reasonBytesMax)
        while String(cut) == nil { cut = cut.dropLast() }
        self.detail = String(cut) ?? ""
    }

    public var explanation: Explanation {
        Explanation(what: "Refused: \(code).", why: Printable.line(detail), remedy: remedy)
    }

    private var remedy: String {
        switch code {
        case .rateLimited, .busy, .shuttingDown, .conversationFull, .queueFull, .diskFull, .recovering:
            "It is tried again by itself; if it lasts, tell the operator."
        case .invitationInvalid, .invitationUsed, .invitationExpired: "Ask the operator for a new invitation."
        case .handleTaken, .handleInvalid: "Choose another handle."
        case .ticketInvalid, .ticketUsed, .ticketExpired, .ticketNameMismatch: "Ask an admin of the federation for a new ticket."
        case .versionUnsupported: "Update the older of the two programs."
        case .notHome: "Sign in at the user's home node."
        case .tooLarge: "Send less at once."
        case .authenticationFailed: "See that this is the profile that joined the node; else join anew with an invitation of its operator."
        case .replacedByNewerSession: "Another process or machine uses the same profile: end one of them."
        case .unknownUser: "Check the spelling; a user who has only just joined may take some seconds to be known everywhere."
        case .nodeExpelled: "The users of an expelled node register anew at another one of the federation."
        case .blocked: "Nothing can be done from here."
        case .notOnRoster, .unknownConversation: "Ask a member of the conversation to add you; see: courier group list"
        case .notPermitted: "Ask one who may: courier group info GROUP shows the roles."
        case .expired, .conversationReset: "Send it again if it still matters."
        case .unknownHub:
            "A group goes on in a new one once an owner or admin runs: courier group reset GROUP; with one user, write anew."
        case .otherFederation: "Use an invitation or a ticket of the same federation."
        case .nameTaken: "Choose another name."
        case .notMember: "Join the federation first: posthouse federation join"
        case .unknown, .badFrame, .recordInvalid, .recordStale, .conversationExists, .rosterInvalid, .messageIdReused, .staleEpoch,
            .handshakeInvalid, .proposalsMissing, .keyPackageInvalid:
            "Update both programs to the same version; if it stays so, report it with this text."
        }
    }
}
