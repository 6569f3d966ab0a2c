package import Vocabulary

/// Why an operator's command did not do its work.
package enum OperationError: Explained, Equatable {
    case inviterUnreachable([Endpoint], reason: String)
    case refusedByInviter(Refusal)
    case inviterSilent
    case badAdmission

    /// Worth trying again later.
    package var isUnavailable: Bool {
        switch self {
        case .inviterUnreachable, .inviterSilent: true
        case .refusedByInviter(let refusal): refusal.code.isTransient
        case .badAdmission: false
        }
    }

    package var explanation: Explanation {
        switch self {
        case .inviterUnreachable(let endpoints, let reason):
            Explanation(
                what: "The inviting node cannot be reached at \(endpoints.map(\.description).joined(separator: ", ")).",
                why: Printable.line(reason), remedy: "See that it runs and that this machine reaches it, then run the same command again.")
        case .refusedByInviter(let refusal):
            Explanation(
                what: "The inviting node refused (\(refusal.code)).", why: Printable.line(refusal.detail),
                remedy: refusal.explanation.remedy)
        case .inviterSilent:
            Explanation(
                what: "The inviting node did not answer in time.", why: "The connection stands, but no admission came.",
                remedy: "Run the same command again: the ticket still serves this folder's key.")
        case .badAdmission:
            Explanation(
                what: "The inviting node's answer does not hold.", why: "Its statements do not make this node a member.",
                remedy: "Ask the admin for a new ticket.")
        }
    }
}
