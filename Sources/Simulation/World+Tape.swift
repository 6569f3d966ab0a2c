package import ClientCore
package import Cryptography
internal import Federation
public import Vocabulary

/// What came over the wires, for whoever wants to repeat it in other words.
public struct Tape: Sendable {
    /// To a node, of one of its devices.
    public internal(set) var clientFrames: [(node: Int, device: Int, frame: ClientFrame)] = []
    /// To a node, of another one.
    public internal(set) var linkFrames: [(node: Int, peer: Int, frame: LinkFrame)] = []
    public internal(set) var nodeFrames: [(device: Int, frame: NodeFrame)] = []

    public init() {}
}

extension World {
    mutating func record(_ input: NodeInput, at node: Int) {
        guard tape != nil else { return }
        switch input {
        case .sessionFrame(let session, let frame):
            guard let wire = nodes[node].wireOfSession[session], case .device(let device)? = wires[wire]?.ends[1] else { return }
            tape?.clientFrames.append((node, device, frame))
        case .linkFrame(let link, let frame):
            if let peer = peer(of: link, at: node) { tape?.linkFrames.append((node, peer, frame)) }
        default: break
        }
    }

    mutating func record(_ inputs: [Device.Input], at device: Int) {
        guard tape != nil else { return }
        for case .received(let frame) in inputs { tape?.nodeFrames.append((device, frame)) }
    }

    private func peer(of link: LinkID, at node: Int) -> Int? {
        guard let ends = nodes[node].wireOfLink[link].flatMap({ wires[$0]?.ends }) else { return nil }
        for case .node(let other, _) in ends where other != node { return other }
        return nil
    }

    // MARK: The parts, to go on with in one's own way

    package func core(ofDevice index: Int) -> Device? { devices[index].core }
    package func key(ofNode index: Int) -> SigningKey { nodes[index].key }

    /// The session that a device has at its home.
    package func session(of device: Int) -> SessionID? {
        guard let wire = devices[device].wire, case .session(_, let session)? = wires[wire]?.ends[0] else { return nil }
        return session
    }

    /// A node's link to another one.
    package func link(from node: Int, to peer: Int) -> LinkID? {
        nodes[node].wireOfLink.keys.sorted().first { self.peer(of: $0, at: node) == peer }
    }
}
