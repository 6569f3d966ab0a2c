package import Cryptography

/// The message keys of an epoch (RFC 9420 §9): a tree of secrets, unfolded towards a leaf when that leaf's first message comes,
/// and two ratchets a leaf. What a used key came from is gone; unused keys of skipped generations are kept within a window.
package struct SecretTree: Equatable, Sendable {
    package enum Kind: UInt8, Sendable {
        case handshake = 0
        case application = 1
    }

    package struct Ratchet: Equatable, Sendable {
        /// Of the next generation to derive.
        package internal(set) var secret: Secret
        package internal(set) var generation: UInt32
        /// By rising generation: derived on the way to a later one, and not used yet.
        package internal(set) var skipped: [Skipped] = []
    }

    package struct Skipped: Equatable, Sendable {
        package let generation: UInt32
        package let key: MessageKey
    }

    package struct Place: Hashable, Sendable {
        package let leaf: UInt32
        package let kind: Kind

        package init(leaf: UInt32, kind: Kind) { (self.leaf, self.kind) = (leaf, kind) }
    }

    package let leafCount: UInt32
    /// Subtrees that nobody below has unfolded yet, by node.
    package internal(set) var nodes: [UInt32: Secret]
    package internal(set) var ratchets: [Place: Ratchet] = [:]
    /// What changed since the caller last asked: the delta of the stored state.
    package internal(set) var changed = ChangedSecrets()

    package struct ChangedSecrets: Equatable, Sendable {
        var nodes: Set<UInt32> = []
        var ratchets: Set<Place> = []
    }

    package init(leafCount: UInt32, encryptionSecret: Secret) {
        self.leafCount = leafCount
        nodes = [TreeMath.root(leaves: leafCount): encryptionSecret]
    }

    init(leafCount: UInt32, nodes: [UInt32: Secret], ratchets: [Place: Ratchet]) {
        (self.leafCount, self.nodes, self.ratchets) = (leafCount, nodes, ratchets)
    }

    // MARK: Sending

    /// The next unused key of our own ratchet.
    package mutating func next(_ place: Place, _ suite: any SuiteProvider) throws(MLSError) -> (generation: UInt32, key: MessageKey) {
        try unfold(place.leaf, suite)
        guard var ratchet = ratchets[place] else { throw .noLeaf(place.leaf) }
        guard ratchet.generation < UInt32.max else { throw .generationsExhausted }
        let generation = ratchet.generation
        let key = ratchet.step(suite)
        ratchets[place] = ratchet
        changed.ratchets.insert(place)
        return (generation, key)
    }

    // MARK: Receiving

    /// A key that was worked out for a message, with the tree as it will be once the message proves to be genuine.
    package struct Opening {
        package let key: MessageKey
        let place: Place
        let ratchet: Ratchet
        let unfolded: Unfolded?
    }

    struct Unfolded {
        let gone: UInt32
        let siblings: [(node: UInt32, secret: Secret)]
        let handshake, application: Secret
    }

    /// Changes nothing: a message that turns out to be false must not cost the true one its key.
    /// - Parameters:
    ///   - window: how many generations may be skipped, and how many skipped keys are kept.
    package func opening(
        _ place: Place, generation: UInt32, window: UInt32, _ suite: any SuiteProvider
    ) throws(MLSError) -> Opening {
        var unfolded: Unfolded?
        var ratchet: Ratchet
        if let known = ratchets[place] {
            ratchet = known
        } else {
            let path = try unfolding(place.leaf, suite)
            unfolded = path
            ratchet = Ratchet(secret: place.kind == .handshake ? path.handshake : path.application, generation: 0)
        }
        if generation < ratchet.generation {
            guard let index = ratchet.skipped.firstIndex(where: { $0.generation == generation }) else {
                throw .generationConsumed(generation)
            }
            let key = ratchet.skipped.remove(at: index).key
            return Opening(key: key, place: place, ratchet: ratchet, unfolded: unfolded)
        }
        guard generation - ratchet.generation <= window, generation < UInt32.max else {
            throw .generationTooFarAhead(generation, max: window)
        }
        while ratchet.generation < generation {
            let skipped = ratchet.generation
            ratchet.skipped.append(Skipped(generation: skipped, key: ratchet.step(suite)))
        }
        let key = ratchet.step(suite)
        let oldest = generation > window ? generation - window : 0
        if let first = ratchet.skipped.first, first.generation < oldest { ratchet.skipped.removeAll { $0.generation < oldest } }
        return Opening(key: key, place: place, ratchet: ratchet, unfolded: unfolded)
    }

    /// The message was genuine: what its key came from goes.
    package mutating func consume(_ opening: Opening) {
        if let unfolded = opening.unfolded { apply(unfolded, leaf: opening.place.leaf) }
        ratchets[opening.place] = opening.ratchet
        changed.ratchets.insert(opening.place)
    }

    // MARK: Unfolding

    private mutating func unfold(_ leaf: UInt32, _ suite: any SuiteProvider) throws(MLSError) {
        guard ratchets[Place(leaf: leaf, kind: .application)] == nil else { return }
        apply(try unfolding(leaf, suite), leaf: leaf)
    }

    private mutating func apply(_ unfolded: Unfolded, leaf: UInt32) {
        nodes[unfolded.gone] = nil
        changed.nodes.insert(unfolded.gone)
        for (node, secret) in unfolded.siblings {
            nodes[node] = secret
            changed.nodes.insert(node)
        }
        for (kind, secret) in [(Kind.handshake, unfolded.handshake), (.application, unfolded.application)] {
            let place = Place(leaf: leaf, kind: kind)
            ratchets[place] = Ratchet(secret: secret, generation: 0)
            changed.ratchets.insert(place)
        }
    }

    /// Walks down from the lowest subtree that still has its secret.
    private func unfolding(_ leaf: UInt32, _ suite: any SuiteProvider) throws(MLSError) -> Unfolded {
        guard leaf < leafCount else { throw .noLeaf(leaf) }
        var start = leaf * 2
        while nodes[start] == nil {
            guard let parent = TreeMath.parent(start, leaves: leafCount) else { throw .generationConsumed(0) }
            start = parent
        }
        guard var secret = nodes[start] else { throw .generationConsumed(0) }
        var node = start
        var siblings: [(node: UInt32, secret: Secret)] = []
        while let left = TreeMath.left(node), let right = TreeMath.right(node) {
            let leftSecret = suite.expand(secret, label: "tree", context: Self.left, count: suite.hashLength)
            let rightSecret = suite.expand(secret, label: "tree", context: Self.right, count: suite.hashLength)
            if TreeMath.contains(left, leaf: leaf) {
                siblings.append((right, rightSecret))
                (node, secret) = (left, leftSecret)
            } else {
                siblings.append((left, leftSecret))
                (node, secret) = (right, rightSecret)
            }
        }
        return Unfolded(
            gone: start, siblings: siblings, handshake: suite.derive(secret, "handshake"),
            application: suite.derive(secret, "application"))
    }

    private static let left = Array("left".utf8)
    private static let right = Array("right".utf8)

    package static func == (x: SecretTree, y: SecretTree) -> Bool {
        x.leafCount == y.leafCount && x.nodes == y.nodes && x.ratchets == y.ratchets
    }
}

extension SecretTree.Ratchet {
    /// The key of `generation`, and on to the next one (§9.1).
    mutating func step(_ suite: any SuiteProvider) -> MessageKey {
        let key = MessageKey(
            key: suite.expand(secret, label: "key", generation: generation, count: suite.keyLength),
            nonce: suite.expand(secret, label: "nonce", generation: generation, count: suite.nonceLength).copyBytes())
        secret = suite.expand(secret, label: "secret", generation: generation, count: suite.hashLength)
        generation += 1
        return key
    }
}
