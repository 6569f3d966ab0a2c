public import Vocabulary

/// For logs and metrics; decides nothing.
public enum LivenessNote: Hashable, Sendable {
    case fromStranger(NodeID)
    /// Somebody called this node suspect or dead; it answered with this incarnation.
    case refuted(UInt64)
    /// A claim about this node that only a liar or a damaged store can make.
    case incarnationTooHigh
    /// More pings out for others than the bound: this one's was not sent.
    case relaysFull(NodeID)
}

extension LivenessMessage {
    public var claims: [LivenessClaim] {
        switch self {
        case .ping(_, let claims), .acknowledge(_, let claims), .pingRequest(_, _, let claims), .negative(_, let claims): claims
        }
    }
}
