internal import Cryptography
public import Federation
public import Vocabulary

// Single faults, for whoever plans them.
extension World {
    public mutating func setClock(ahead error: Duration, node index: Int) { nodes[index].clockError = error }
    public mutating func setClock(ahead error: Duration, device index: Int) { devices[index].clockError = error }

    /// The node dies while its next commit is on the way; whether that came to the disk is the coin's to say.
    public mutating func crashInNextCommit(node index: Int) { nodes[index].disk.isTearing = true }

    public mutating func mendDisk(node index: Int) { (nodes[index].disk.isFailing, nodes[index].disk.isTearing) = (false, false) }

    mutating func spoilDisk(of index: Int) { spoil(nodes[index].store, of: index) }

    /// - Returns: false while the node has no link, or does not know the user.
    mutating func forgeRecord(of user: UserID, from index: Int) -> Bool {
        guard let row = nodes[index].store.values[.userRecord]?[user.bytes], let link = nodes[index].wireOfLink.keys.sorted().first,
            let federation = nodes[index].core?.federation,
            let record = try? PackedRecord(row: row, key: user.bytes, in: federation).signed(in: federation),
            let truth = try? UserRecord(decoding: record.body)
        else { return false }
        // The next one, which says that the user lives here.
        let lie = UserRecord(
            federation: truth.federation, user: truth.user, handle: truth.handle, issuer: truth.issuer,
            handleCertificate: truth.handleCertificate, home: nodes[index].id, devices: truth.devices, version: truth.version + 1,
            previous: Hash.blake2b(record.body), published: truth.published + 1)
        let body = lie.encoded()
        let forged = SignedUserRecord(
            body: body, userSignature: record.userSignature, homeSignature: nodes[index].key.sign(body, for: .homeConsent))
        send(.records([forged]), from: index, link)
        return true
    }

    /// - Returns: false while the admin's node is down.
    package mutating func expel(node index: Int, by admin: Int) throws -> Bool {
        guard nodes[admin].core != nil else { return false }
        try turn(node: admin, .admin(RequestID(7), .expel(name: try NodeName("node\(index)"), reason: "simulated")))
        nodes[index].isExpelled = true
        return true
    }
}
