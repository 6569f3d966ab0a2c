internal import Cryptography
internal import MLS
internal import Vocabulary

extension Checks {
    static func welcome(_ each: Case) throws {
        let suite = try each.suite()
        guard case .welcome(let welcome) = try MLSMessage(each.hex("welcome")).body,
            case .keyPackage(let package) = try MLSMessage(each.hex("key_package")).body
        else { throw Failure(description: "messages") }
        let key = try suite.encapsulationKey(each.secret("init_priv"))
        let reference = package.reference(suite)
        guard let entry = welcome.entries.first(where: { $0.newMember == reference }) else { throw Failure(description: "entry") }
        let secrets = try GroupSecrets(
            exactly: suite.open(entry.secrets, with: key, label: "Welcome", context: welcome.encryptedGroupInfo))
        let joiner = JoinerSecrets(joiner: secrets.joinerSecret, pskSecret: suite.zeros, suite)
        let box = joiner.welcomeKey(suite)
        let info = try GroupInfo(
            exactly: suite.open(welcome.encryptedGroupInfo, key: box.key, nonce: box.nonce, authenticating: []))
        try require(info.isSigned(by: each.hex("signer_pub"), suite), "group info signature")
        let epoch = joiner.epoch(context: info.context.encoded, suite)
        try require(
            suite.mac(info.context.confirmedTranscriptHash, key: epoch.confirmation) == info.confirmationTag, "confirmation tag")
    }

    static func passiveClient(_ each: Case) throws {
        var keys: [[UInt8]: Secret] = [:]
        for psk in try each.objects("external_psks") { keys[try psk.hex("psk_id")] = try psk.secret("psk") }
        let host = GroupHost.trusting(keys)
        guard case .keyPackage(let package) = try MLSMessage(each.hex("key_package")).body else {
            throw Failure(description: "key_package")
        }
        let own = try OwnKeyPackage(
            package: package, initSecret: each.secret("init_priv"), leafSecret: each.secret("encryption_priv"),
            signerSecret: each.secret("signature_priv"))
        var group = try Group.join(each.hex("welcome"), with: own, tree: each.optionalHex("ratchet_tree"), host: host)
        try require(group.epochAuthenticator == each.hex("initial_epoch_authenticator"), "initial epoch authenticator")
        for (number, epoch) in try each.objects("epochs").enumerated() {
            do {
                for case let proposal? in try epoch.hexes("proposals") { _ = try group.process(proposal, host: host) }
                _ = try group.process(epoch.hex("commit"), host: host)
            } catch { throw Failure(description: "commit \(number): \(error)") }
            try require(group.epochAuthenticator == epoch.hex("epoch_authenticator"), "epoch authenticator after commit \(number)")
        }
    }
}
