internal import Cryptography
internal import MLS
internal import Vocabulary

extension Checks {
    static func messages(_ each: Case) throws {
        for name in [
            "mls_welcome", "mls_group_info", "mls_key_package", "public_message_application", "public_message_proposal",
            "public_message_commit", "private_message",
        ] { try roundTrip(MLSMessage.self, each, name) }
        try roundTrip(RatchetTree.self, each, "ratchet_tree")
        try roundTrip(GroupSecrets.self, each, "group_secrets")
        try roundTrip(Commit.self, each, "commit")
        let proposals: [(String, UInt16)] = [
            ("add_proposal", 1), ("update_proposal", 2), ("remove_proposal", 3), ("pre_shared_key_proposal", 4),
            ("re_init_proposal", 5), ("external_init_proposal", 6), ("group_context_extensions_proposal", 7),
        ]
        for (name, type) in proposals {
            let bytes = try each.hex(name)
            var reader = ByteReader(bytes)
            let proposal = try Proposal(type: type, from: &reader)
            try reader.finish()
            var writer = ByteWriter()
            proposal.writeBody(to: &writer)
            try require(writer.bytes == bytes, name)
        }
    }

    private static func roundTrip<T: WireCodable>(_: T.Type, _ each: Case, _ name: String) throws {
        let bytes = try each.hex(name)
        try require(try T(exactly: bytes).encoded == bytes, name)
    }

    static func messageProtection(_ each: Case) throws {
        let protection = try Protection(each)
        for name in ["proposal", "commit", "application"] {
            let body: FramedContent.Body
            let raw = try each.hex(name)
            switch name {
            case "proposal": body = .proposal(try Proposal(exactly: raw))
            case "commit": body = .commit(try Commit(exactly: raw))
            default: body = .application(raw)
            }
            if name != "application" {
                let given = try MLSMessage(each.hex("\(name)_pub"))
                for message in [given, try protection.publicly(body)] {
                    try require(try protection.open(publicly: message) == body, "\(name) as PublicMessage")
                }
            }
            let given = try MLSMessage(each.hex("\(name)_priv"))
            for message in [given, try protection.privately(body)] {
                try require(try protection.open(privately: message) == body, "\(name) as PrivateMessage")
            }
        }
    }

    /// The group of two of a message-protection vector; its member 1 sends.
    private struct Protection {
        let suite: any SuiteProvider
        let context: [UInt8]
        let groupID: [UInt8]
        let epoch: UInt64
        let signer: SignatureKeyPair
        let membership, senderData, encryption: Secret

        init(_ each: Case) throws {
            suite = try each.suite()
            groupID = try each.hex("group_id")
            epoch = try each.number("epoch")
            context = try GroupContext(
                cipherSuite: suite.cipherSuite, groupID: groupID, epoch: epoch, treeHash: each.hex("tree_hash"),
                confirmedTranscriptHash: each.hex("confirmed_transcript_hash"), extensions: []
            ).encoded
            signer = try suite.signatureKey(each.secret("signature_priv"))
            try require(signer.publicKey == each.hex("signature_pub"), "signature_pub")
            membership = try each.secret("membership_key")
            senderData = try each.secret("sender_data_secret")
            encryption = try each.secret("encryption_secret")
        }

        func signed(_ body: FramedContent.Body, _ format: UInt16) -> AuthenticatedContent {
            let content = FramedContent(
                groupID: groupID, epoch: epoch, sender: .member(1), authenticatedData: [1, 2, 3], body: body)
            var signed = AuthenticatedContent(signing: content, wireFormat: format, context: context, with: signer, suite)
            if body.type == .commit { signed.confirmationTag = [UInt8](repeating: 7, count: suite.hashLength) }
            return signed
        }

        func publicly(_ body: FramedContent.Body) throws -> MLSMessage {
            let signed = signed(body, WireFormat.publicMessage)
            let tag = signed.membershipTag(key: membership, context: context, suite)
            return try MLSMessage(MLSMessage(.publicMessage(PublicMessage(authenticated: signed, membershipTag: tag))).bytes)
        }

        func open(publicly message: MLSMessage) throws -> FramedContent.Body {
            guard case .publicMessage(let message) = message.body else { throw Failure(description: "PublicMessage") }
            let tag = message.authenticated.membershipTag(key: membership, context: context, suite)
            try require(message.membershipTag == tag, "membership tag")
            try require(message.authenticated.isSigned(by: signer.publicKey, context: context, suite), "signature")
            return message.content.body
        }

        func privately(_ body: FramedContent.Body) throws -> MLSMessage {
            var tree = SecretTree(leafCount: 2, encryptionSecret: encryption)
            let (generation, key) = try tree.next(place(1, body.type), suite)
            let message = try PrivateMessage(
                sealing: signed(body, WireFormat.privateMessage), leaf: 1, generation: generation, key: key,
                senderDataSecret: senderData, reuseGuard: [1, 2, 3, 4], padding: 10, suite)
            return try MLSMessage(MLSMessage(.privateMessage(message)).bytes)
        }

        func open(privately message: MLSMessage) throws -> FramedContent.Body {
            guard case .privateMessage(let message) = message.body else { throw Failure(description: "PrivateMessage") }
            let sender = try message.openSenderData(senderData, suite)
            try require(sender.leaf == 1, "sender")
            let tree = SecretTree(leafCount: 2, encryptionSecret: encryption)
            let opening = try tree.opening(
                place(sender.leaf, message.contentType), generation: sender.generation, window: 1024, suite)
            let opened = try message.open(sender, key: opening.key, suite)
            try require(opened.isSigned(by: signer.publicKey, context: context, suite), "signature")
            return opened.content.body
        }

        private func place(_ leaf: UInt32, _ type: ContentType) -> SecretTree.Place {
            SecretTree.Place(leaf: leaf, kind: type == .application ? .application : .handshake)
        }
    }
}
