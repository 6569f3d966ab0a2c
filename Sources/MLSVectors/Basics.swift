internal import Cryptography
internal import MLS
internal import Vocabulary

/// One function a kind; each throws what is wrong with the case.
enum Checks {
    static func deserialization(_ each: Case) throws {
        var reader = ByteReader(try each.hex("vlbytes_header"))
        let length = try reader.length()
        try require(length == each.number("length", Int.self), "length")
        try reader.finish()
        var writer = ByteWriter()
        writer.write(length: length)
        try require(writer.bytes == each.hex("vlbytes_header"), "written header")
    }

    static func treeMath(_ each: Case) throws {
        let leaves: UInt32 = try each.number("n_leaves")
        let nodes = TreeMath.nodeCount(leaves: leaves)
        try require(nodes == each.number("n_nodes"), "n_nodes")
        try require(TreeMath.root(leaves: leaves) == each.number("root"), "root")
        let range = 0..<nodes
        try require(range.map { TreeMath.left($0) } == each.numbers("left"), "left")
        try require(range.map { TreeMath.right($0) } == each.numbers("right"), "right")
        try require(range.map { TreeMath.parent($0, leaves: leaves) } == each.numbers("parent"), "parent")
        try require(range.map { TreeMath.sibling($0, leaves: leaves) } == each.numbers("sibling"), "sibling")
    }

    static func cryptoBasics(_ each: Case) throws {
        let suite = try each.suite()
        var part = try each.object("ref_hash")
        try require(suite.reference(part.text("label"), part.hex("value")) == part.hex("out"), "ref_hash")
        part = try each.object("expand_with_label")
        let expanded = try suite.expand(
            part.secret("secret"), label: part.text("label"), context: part.hex("context"), count: part.number("length"))
        try require(expanded == part.secret("out"), "expand_with_label")
        part = try each.object("derive_secret")
        try require(suite.derive(part.secret("secret"), part.text("label")) == part.secret("out"), "derive_secret")
        part = try each.object("derive_tree_secret")
        let stepped = try suite.expand(
            part.secret("secret"), label: part.text("label"), generation: part.number("generation"), count: part.number("length"))
        try require(stepped == part.secret("out"), "derive_tree_secret")
        part = try each.object("sign_with_label")
        let key = try suite.signatureKey(part.secret("priv"))
        try require(key.publicKey == part.hex("pub"), "signature public key")
        for signature in try [part.hex("signature"), suite.sign(part.hex("content"), label: part.text("label"), with: key)] {
            try require(
                suite.isValid(signature, over: part.hex("content"), label: part.text("label"), by: part.hex("pub")),
                "sign_with_label")
        }
        try encryption(each.object("encrypt_with_label"), suite)
    }

    private static func encryption(_ part: Case, _ suite: any SuiteProvider) throws {
        var random = SystemRandom()
        let key = try suite.encapsulationKey(part.secret("priv"))
        try require(key.publicKey == part.hex("pub"), "encryption public key")
        let (label, context, plaintext) = try (part.text("label"), part.hex("context"), part.hex("plaintext"))
        let given = HPKECiphertext(output: try part.hex("kem_output"), ciphertext: try part.hex("ciphertext"))
        let made = try suite.seal(plaintext, to: key.publicKey, label: label, context: context, using: &random)
        for sealed in [given, made] {
            try require(suite.open(sealed, with: key, label: label, context: context) == plaintext, "encrypt_with_label")
        }
    }

    static func secretTree(_ each: Case) throws {
        let suite = try each.suite()
        let data = try each.object("sender_data")
        let key = try PrivateMessage.senderKey(data.secret("sender_data_secret"), data.hex("ciphertext"), suite)
        try require(key.key == data.secret("key") && key.nonce == data.hex("nonce"), "sender_data")
        let leaves = try each.list("leaves")
        var tree = SecretTree(leafCount: UInt32(leaves.count), encryptionSecret: try each.secret("encryption_secret"))
        for (index, entries) in leaves.enumerated() {
            guard let entries = entries as? [[String: Any]] else { throw Failure(description: "leaves") }
            for entry in entries.map(Case.init) {
                for (kind, name) in [(SecretTree.Kind.handshake, "handshake"), (.application, "application")] {
                    let opening = try tree.opening(
                        SecretTree.Place(leaf: UInt32(index), kind: kind), generation: entry.number("generation"), window: 1024,
                        suite)
                    tree.consume(opening)
                    try require(
                        opening.key.key == entry.secret("\(name)_key") && opening.key.nonce == entry.hex("\(name)_nonce"),
                        "\(name) key of leaf \(index)")
                }
            }
        }
    }

    static func keySchedule(_ each: Case) throws {
        let suite = try each.suite()
        var initial = try each.secret("initial_init_secret")
        for (number, epoch) in try each.objects("epochs").enumerated() {
            let context = try GroupContext(
                cipherSuite: suite.cipherSuite, groupID: each.hex("group_id"), epoch: UInt64(number),
                treeHash: epoch.hex("tree_hash"), confirmedTranscriptHash: epoch.hex("confirmed_transcript_hash"), extensions: [])
            try require(context.encoded == epoch.hex("group_context"), "group_context")
            let joiner = try JoinerSecrets(
                initSecret: initial, commitSecret: epoch.secret("commit_secret"), pskSecret: epoch.secret("psk_secret"),
                context: context.encoded, suite)
            try require(joiner.joiner == epoch.secret("joiner_secret"), "joiner_secret")
            try require(joiner.welcomeSecret(suite) == epoch.secret("welcome_secret"), "welcome_secret")
            let secrets = joiner.epoch(context: context.encoded, suite)
            let all: [(String, Secret)] = [
                ("init_secret", secrets.initial), ("sender_data_secret", secrets.senderData),
                ("encryption_secret", secrets.encryption), ("exporter_secret", secrets.exporter),
                ("epoch_authenticator", secrets.authenticator), ("external_secret", secrets.external),
                ("confirmation_key", secrets.confirmation), ("membership_key", secrets.membership),
                ("resumption_psk", secrets.resumption),
            ]
            for (name, secret) in all { try require(secret == epoch.secret(name), name) }
            try require(secrets.externalKey(suite).publicKey == epoch.hex("external_pub"), "external_pub")
            let exporter = try epoch.object("exporter")
            let exported = try secrets.export(
                label: exporter.text("label"), context: exporter.hex("context"), count: exporter.number("length"), suite)
            try require(exported == exporter.secret("secret"), "exporter")
            initial = secrets.initial
        }
    }

    static func preSharedKeys(_ each: Case) throws {
        let suite = try each.suite()
        let keys = try each.objects("psks").map { psk in
            (id: PreSharedKeyID(.external(try psk.hex("psk_id")), nonce: try psk.hex("psk_nonce")), key: try psk.secret("psk"))
        }
        try require(PreSharedKeys.secret(keys, suite) == each.secret("psk_secret"), "psk_secret")
    }

    static func transcriptHashes(_ each: Case) throws {
        let suite = try each.suite()
        let content = try AuthenticatedContent(exactly: each.hex("authenticated_content"))
        try require(content.encoded == each.hex("authenticated_content"), "encoding")
        guard case .commit = content.content.body, let tag = content.confirmationTag else {
            throw Failure(description: "a commit")
        }
        let confirmed = try Transcript.confirmed(after: each.hex("interim_transcript_hash_before"), content, suite)
        try require(confirmed == each.hex("confirmed_transcript_hash_after"), "confirmed transcript hash")
        try require(suite.mac(confirmed, key: each.secret("confirmation_key")) == tag, "confirmation tag")
        try require(
            Transcript.interim(after: confirmed, tag: tag, suite) == each.hex("interim_transcript_hash_after"),
            "interim transcript hash")
    }
}
