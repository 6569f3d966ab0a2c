internal import Cryptography
internal import Vocabulary

// What the cores of membership, directory and liveness order, carried out: sends find their link here.
extension Node {
    mutating func perform(_ effects: [Membership.Effect], using random: inout some RandomNumberGenerator) {
        for effect in effects {
            switch effect {
            case .write(let write): out.append(.write(write))
            case .send(let peer, let frame): send(frame, to: peer)
            case .broadcast(let frame, let except):
                for peer in links.established where peer != except { send(frame, to: peer) }
            case .changed: membersChanged(using: &random)
            case .expelled(let node): expel(node)
            case .admitJoining(let peer, let frames):
                for frame in frames { send(frame, to: peer) }
            case .refuseJoining(let peer, let refusal):
                for link in links.links(of: peer) { close(link, refusal) }
            case .invited(let request, let ticket): out.append(.answer(request, .success(.ticket(ticket.text))))
            case .done(let request): out.append(.answer(request, .success(.done)))
            case .refused(let request, let error): out.append(.answer(request, .failure(.membership(error))))
            case .note(let note): self.note(note)
            }
        }
    }

    mutating func perform(_ effects: [DirectoryEffect]) {
        for effect in effects {
            switch effect {
            case .write(let write): out.append(.write(write))
            case .send(let peer, let frame): send(frame, to: peer)
            case .changed(let user, let before, let home):
                traffic.places += 1
                if before != home { presence(.homeChanged(user, home)) }
            case .nameLeft(let handle, let user): write(registrar.keep(handle, for: user))
            case .left(let devices, let user): left(devices, of: user)
            case .found(let request, let record):
                guard let (session, original) = lookups.removeValue(forKey: request) else { continue }
                found(session, original, record)
            case .notFound(let request, let failure):
                guard let (session, original) = lookups.removeValue(forKey: request) else { continue }
                let refusal =
                    switch failure {
                    case .unknown: Refusal(.unknownUser, "No such user is known.")
                    case .unreachable: Refusal(.busy, "The node that issued the handle cannot be asked now.")
                    case .busy: Refusal(.busy, "Too many look-ups are under way.")
                    }
                out.append(.sendSession(session, .refusedRequest(original, refusal)))
            case .note(let note): self.note(note)
            }
        }
    }

    mutating func perform(_ effects: [Liveness.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let peer, let message):
                if links.link(to: peer) == nil { dial(peer) } else { send(.liveness(message), to: peer) }
            case .stateChanged(let node, let state):
                if state == .alive { links.wake(node, at: now) }
                out.append(.note(.memberStateChanged(node, state)))
                switch state {
                case .alive: presence(.nodeCameBack(node))
                case .dead: presence(.nodeDied(node))
                case .suspect: break
                }
            case .note: break
            }
        }
    }

    private mutating func send(_ frame: LinkFrame, to peer: NodeID) {
        // Before a link is established only membership speaks on it: to let a new or unknown member in.
        guard let link = links.link(to: peer) ?? links.links(of: peer).last else { return }
        out.append(.sendLink(link, frame))
    }

    // MARK: Members

    private mutating func membersChanged(using random: inout some RandomNumberGenerator) {
        refreshMembers()
        out.append(.note(.membershipChanged))
        tellMembers(using: &random)
        for (link, cursor) in links.unproven(admitted: { membership.evaluation.isMember($0) }) {
            guard let peer = links[link]?.peer else { continue }
            sayHello(link, peer)
            establish(link, peer, cursor: cursor, using: &random)
        }
        dialWanted()
    }

    mutating func refreshMembers() {
        traffic.places += 1
        let others = membership.evaluation.active.filter { $0.id != id }
        peers = others.map(\.id).sorted()
        endpoints = [:]
        for member in others { if let told = member.descriptor?.contents.peers, !told.isEmpty { endpoints[member.id] = told } }
    }

    /// Tells directory and liveness who belongs.
    mutating func tellMembers(using random: inout some RandomNumberGenerator) {
        perform(liveness.step(.membersChanged(peers), at: now, using: &random))
        let input = DirectoryInput.membersChanged(active: membership.evaluation.active.map(\.id), expelled: expelledNodes)
        perform(directory.step(input, at: now, using: &random))
        discardForExpelled()
    }

    private mutating func expel(_ node: NodeID) {
        out.append(.expelled(expelledNodes))
        out.append(.note(.expelled(node)))
        for link in links.links(of: node) { close(link, Refusal(.nodeExpelled, "This key was expelled from the federation.")) }
    }

    // MARK: Notes

    private mutating func note(_ note: MembershipNote) {
        switch note {
        case .badStatement(_, let peer):
            count("bad_statement")
            out.append(.note(.badStatements(count: 1, from: peer)))
        case .notKept: count("statement_not_kept")
        case .fromExpelled: count("statements_of_an_expelled_node")
        case .learned(let number, _): count("statements_learned", number)
        case .answered: count("statement_sets_sent")
        case .joined: count("nodes_joined")
        case .joinRefused(let code, _): count("join_refused_\(code)")
        }
    }

    private mutating func note(_ note: DirectoryNote) {
        switch note {
        case .refused(let reason, let peer):
            count("record_refused_\(reason.rawValue)")
            out.append(.note(.badRecords(count: 1, kind: reason.rawValue, from: peer)))
        case .equivocation: count("equivocation")
        case .handleConflict: count("handle_conflict")
        case .exchangeTimedOut: count("reconciliation_timed_out")
        }
    }
}
