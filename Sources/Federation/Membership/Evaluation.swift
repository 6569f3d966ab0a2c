public import Vocabulary

/// One node as the statements have it.
public struct Member: Hashable, Sendable {
    public enum State: Hashable, Sendable {
        case active
        /// For good. The reason is another operator's text.
        case expelled(reason: String)
        /// A member, but another holds the name it was admitted under: it has none until it is admitted anew.
        case nameConflict(NodeName)
    }

    public let id: NodeID
    /// Unique among those that are not expelled; of an expelled node, the name it had.
    public let name: NodeName?
    public let role: MemberRole
    public let state: State
    /// The newest one known; nil before the first.
    public let descriptor: NodeDescriptor?

    public init(id: NodeID, name: NodeName?, role: MemberRole, state: State, descriptor: NodeDescriptor?) {
        (self.id, self.name, self.role, self.state, self.descriptor) = (id, name, role, state, descriptor)
    }

    public var isExpelled: Bool { if case .expelled = state { true } else { false } }
}

/// What a set of statements means: a pure function of the set, whatever the order in which it grew.
/// Source: docs/protocol/membership.md §3.
public struct Evaluation: Equatable, Sendable {
    /// Rising by id; the expelled included.
    public let members: [Member]
    private let places: [NodeID: Int]
    private let names: [NodeName: NodeID]

    public static let empty = Evaluation([])

    private init(_ members: [Member]) {
        self.members = members
        places = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.id, $0) })
        names = Dictionary(
            members.compactMap { member in member.isExpelled ? nil : member.name.map { ($0, member.id) } },
            uniquingKeysWith: { first, _ in first })
    }

    /// - Parameter statements: in any order; without a genesis there are no members.
    public init(of statements: some Collection<VerifiedStatement>) {
        guard let genesis = statements.lazy.compactMap(\.genesis).first else {
            self = .empty
            return
        }
        var admits: [(vote: Authority.Vote, admit: Admit)] = []
        var expels: [(vote: Authority.Vote, expel: Expel)] = []
        for item in statements {
            switch item.statement {
            case .genesis: break
            case .admit(let admit):
                admits.append((.init(id: item.id, signer: item.signer, subject: admit.subject, n: admit.n, lastN: 0), admit))
            case .expel(let expel):
                expels.append((.init(id: item.id, signer: item.signer, subject: expel.subject, n: expel.n, lastN: expel.lastN), expel))
            case .descriptor: break
            }
        }
        let authority = Authority(
            founder: genesis.founder, adminAdmits: admits.filter { $0.admit.role == .admin }.map(\.vote), expels: expels.map(\.vote))

        var reasons: [NodeID: String] = [:]
        let standing = expels.filter { authority.holds($0.vote) }
        for (vote, expel) in standing.sorted(by: { authority.precedes($0.vote, $1.vote) }) where reasons[vote.subject] == nil {
            reasons[vote.subject] = expel.reason
        }

        // Claims to names: the founder's first, then by hash. One counts while its name is free and its subject without a name.
        var roles: [NodeID: MemberRole] = [genesis.founder: .admin]
        var named: [NodeID: NodeName] = [genesis.founder: genesis.founderName]
        var taken: Set<NodeName> = reasons[genesis.founder] == nil ? [genesis.founderName] : []
        var claimed: [NodeID: NodeName] = [:]
        for (vote, admit) in admits.filter({ authority.holds($0.vote) }).sorted(by: { $0.vote.id < $1.vote.id }) {
            roles[admit.subject] = max(admit.role, roles[admit.subject] ?? .member)
            if claimed[admit.subject] == nil { claimed[admit.subject] = admit.name }
            guard reasons[vote.subject] == nil else {
                if named[admit.subject] == nil { named[admit.subject] = admit.name }
                continue
            }
            if named[admit.subject] == nil, taken.insert(admit.name).inserted { named[admit.subject] = admit.name }
        }

        let everyone = Set(roles.keys).union(reasons.keys).sorted()
        self.init(
            everyone.map { node in
                let state: Member.State
                if let reason = reasons[node] {
                    state = .expelled(reason: reason)
                } else if named[node] == nil, let name = claimed[node] {
                    state = .nameConflict(name)
                } else {
                    state = .active
                }
                return Member(id: node, name: named[node], role: roles[node] ?? .member, state: state, descriptor: nil)
            })
        self = with(descriptors: NodeDescriptor.newest(of: statements))
    }

    /// The same members with other descriptors: they decide nothing.
    func with(descriptors: [NodeID: NodeDescriptor]) -> Evaluation {
        Evaluation(
            members.map { Member(id: $0.id, name: $0.name, role: $0.role, state: $0.state, descriptor: descriptors[$0.id]) })
    }

    public subscript(node: NodeID) -> Member? { places[node].map { members[$0] } }

    /// The member of this name that is not expelled.
    public func member(named name: NodeName) -> Member? { names[name].flatMap { self[$0] } }

    /// Admitted and not expelled: what a link may be held with.
    public func isMember(_ node: NodeID) -> Bool { self[node].map { !$0.isExpelled } ?? false }

    public func isAdmin(_ node: NodeID) -> Bool { isMember(node) && self[node]?.role == .admin }

    /// All that are not expelled, rising.
    public var active: [Member] { members.filter { !$0.isExpelled } }
}

extension Authority {
    /// Which of two Expels of one node gives the reason: the more senior signer's, then the earlier.
    fileprivate func precedes(_ x: Vote, _ y: Vote) -> Bool {
        (seniority(x.signer) ?? .max, x.n, x.id) < (seniority(y.signer) ?? .max, y.n, y.id)
    }
}

extension VerifiedStatement {
    var genesis: Genesis? { if case .genesis(let genesis) = statement { genesis } else { nil } }
}

extension NodeDescriptor {
    /// The higher version; of two with one version (a restored node, a copied key) the lower id.
    func supersedes(_ other: NodeDescriptor, id: Digest, than otherID: Digest) -> Bool {
        version == other.version ? id < otherID : version > other.version
    }

    fileprivate static func newest(of statements: some Collection<VerifiedStatement>) -> [NodeID: NodeDescriptor] {
        var newest: [NodeID: (descriptor: NodeDescriptor, id: Digest)] = [:]
        for item in statements {
            guard case .descriptor(let descriptor) = item.statement else { continue }
            if let known = newest[descriptor.node], !descriptor.supersedes(known.descriptor, id: item.id, than: known.id) { continue }
            newest[descriptor.node] = (descriptor, item.id)
        }
        return newest.mapValues(\.descriptor)
    }
}
