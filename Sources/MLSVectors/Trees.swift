internal import Cryptography
internal import MLS
internal import Vocabulary

extension Checks {
    static func treeOperations(_ each: Case) throws {
        let suite = try each.suite()
        var tree = try RatchetTree(exactly: each.hex("tree_before"))
        try require(tree.treeHash(suite) == each.hex("tree_hash_before"), "tree_hash_before")
        try tree.apply(try Proposal(exactly: each.hex("proposal")), sender: each.number("proposal_sender"))
        try require(tree.encoded == each.hex("tree_after"), "tree_after")
        try require(tree.treeHash(suite) == each.hex("tree_hash_after"), "tree_hash_after")
    }

    static func treeValidation(_ each: Case) throws {
        let suite = try each.suite()
        var tree = try RatchetTree(exactly: each.hex("tree"))
        try require(tree.encoded == each.hex("tree"), "encoding")
        for (node, given) in try each.list("resolutions").enumerated() {
            guard let given = given as? [Int] else { throw Failure(description: "resolutions") }
            try require(tree.resolution(UInt32(node)).map(Int.init) == given, "resolution of \(node)")
        }
        for (node, given) in try each.hexes("tree_hashes").enumerated() {
            try require(tree.hash(UInt32(node), suite) == given, "tree hash of \(node)")
        }
        try tree.validate(group: each.hex("group_id"), suite)
    }

    static func treeKEM(_ each: Case) throws {
        let suite = try each.suite()
        var tree = try RatchetTree(exactly: each.hex("ratchet_tree"))
        let context = try GroupContext(
            cipherSuite: suite.cipherSuite, groupID: each.hex("group_id"), epoch: each.number("epoch"),
            treeHash: tree.treeHash(suite), confirmedTranscriptHash: each.hex("confirmed_transcript_hash"), extensions: [])
        var members: [UInt32: (mine: PrivateTree, signer: SignatureKeyPair)] = [:]
        for entry in try each.objects("leaves_private") {
            let index: UInt32 = try entry.number("index")
            var mine = PrivateTree(leaf: index, key: try suite.encapsulationKey(entry.secret("encryption_priv")))
            for item in try entry.objects("path_secrets") {
                mine.keys[try item.number("node")] = try suite.deriveKeyPair(
                    from: suite.derive(item.secret("path_secret"), "node"))
            }
            for (node, key) in mine.keys { try require(tree.encryptionKey(node) == key.publicKey, "private key of node \(node)") }
            members[index] = (mine, try suite.signatureKey(entry.secret("signature_priv")))
        }
        for entry in try each.objects("update_paths") {
            let sender: UInt32 = try entry.number("sender")
            let update = try UpdatePath(exactly: entry.hex("update_path"))
            var merged = tree
            try merged.merge(update, sender: sender, suite)
            var provisional = context
            provisional.treeHash = merged.treeHash(suite)
            try require(provisional.treeHash == entry.hex("tree_hash_after"), "tree_hash_after")
            let secrets = try entry.hexes("path_secrets")
            for (index, member) in members where index != sender {
                var mine = member.mine
                let opened = try merged.open(
                    update, sender: sender, mine: &mine, excluding: [], context: provisional.encoded, suite)
                try require(opened.pathSecret.copyBytes() == secrets[Int(index)], "path secret of leaf \(index)")
                try require(opened.commitSecret == entry.secret("commit_secret"), "commit secret")
            }
            guard let signer = members[sender]?.signer else { continue }
            try fresh(from: sender, signer, tree, context, members.mapValues(\.mine), suite)
        }
    }

    /// A path of our own making opens for everybody too.
    private static func fresh(
        from sender: UInt32, _ signer: SignatureKeyPair, _ tree: RatchetTree, _ context: GroupContext,
        _ members: [UInt32: PrivateTree], _ suite: any SuiteProvider
    ) throws {
        var random = SystemRandom()
        var made = tree
        let (update, commitSecret, provisional) = try made.freshPath(
            from: sender, signer: signer, context: context, suite, using: &random)
        var merged = tree
        try merged.merge(update, sender: sender, suite)
        try require(merged.treeHash(suite) == provisional.treeHash, "tree hash of our path")
        for (index, mine) in members where index != sender {
            var mine = mine
            let opened = try merged.open(update, sender: sender, mine: &mine, excluding: [], context: provisional.encoded, suite)
            try require(opened.commitSecret == commitSecret, "commit secret of our path")
        }
    }
}
