public import Vocabulary

/// Why an operator's request about membership was not done.
public enum MembershipError: Explained, Hashable {
    /// This node is no admin of the federation.
    case notAdmin
    case nameTaken(NodeName)
    case alreadyMember(NodeID)
    case unknownNode(NodeID)
    case expelled(NodeID)
    case cannotExpelSelf
    case expiryPassed
    case ticketsFull
    case statementsFull
    /// The statements given hold no genesis, or not that of this federation.
    case noGenesis

    public var explanation: Explanation {
        switch self {
        case .notAdmin:
            Explanation(
                what: "This node may not do that.", why: "Only admins of the federation invite, admit and expel.",
                remedy: "Ask one of the admins; `posthouse federation members` lists them.")
        case .nameTaken(let name):
            Explanation(
                what: "The name \(name) is taken.", why: "Another node of the federation has it.", remedy: "Choose another name.")
        case .alreadyMember(let node):
            Explanation(what: "Node \(node) is a member already.", why: "It was admitted before.", remedy: "Nothing needs to be done.")
        case .unknownNode(let node):
            Explanation(
                what: "Node \(node) is no member.", why: "No admin's statement names it.",
                remedy: "See `posthouse federation members` for the names and ids.")
        case .expelled(let node):
            Explanation(
                what: "Node \(node) is expelled.", why: "Expulsion is final: its key never comes back.",
                remedy: "Its operator can make a new node, with a new key, and join with a new ticket.")
        case .cannotExpelSelf:
            Explanation(
                what: "A node cannot expel itself.", why: "It would be left out of its own federation.", remedy: "Ask another admin.")
        case .expiryPassed:
            Explanation(
                what: "The ticket would already have expired.", why: "Its expiry is not in the future.",
                remedy: "Give a longer time with --expires.")
        case .ticketsFull:
            Explanation(
                what: "This node keeps no more tickets.", why: "\(Limits.ticketsMax) are kept, expired ones for 30 days at least.",
                remedy: "Invite from another admin's node, or wait.")
        case .statementsFull:
            Explanation(
                what: "This node keeps no more statements.",
                why: "The bound of \(Limits.statementsMax) is reached, or that of \(Limits.adminsMax) admins.",
                remedy: "See `posthouse federation members` for an admin who made too many, and expel it.")
        case .noGenesis:
            Explanation(
                what: "The federation's founding statement is missing.",
                why: "The statements given hold no genesis that this node belongs to.",
                remedy: "Restore the data folder from a backup, or join again with a new ticket.")
        }
    }
}

/// For logs and metrics; decides nothing.
public enum MembershipNote: Hashable, Sendable {
    /// Not stored and not passed on; counted per peer.
    case badStatement(StatementError, from: NodeID)
    /// Sound, but not kept now: its signer is not known as an admin yet, or a bound is reached.
    case notKept(StatementError, from: NodeID)
    case fromExpelled(NodeID)
    /// How many statements a peer gave us that were new.
    case learned(Int, from: NodeID)
    /// How many statements went to a peer whose digest differed.
    case answered(Int, to: NodeID)
    case joined(NodeID, NodeName)
    case joinRefused(Refusal.Code, from: NodeID)
}
