internal import Cryptography
internal import Dispatch
internal import Federation
internal import RelayNode
internal import Storage
internal import Synchronization
internal import Vocabulary

/// User records as registrations leave them: each signed by its user, issued and taken in by one node. One device each.
struct LoadRecords {
    let federation: FederationID
    let home: NodeID
    /// As a node stores them.
    let rows: [(key: [UInt8], value: [UInt8])]

    /// - Parameters:
    ///   - node: whose data folder it is; its process is stopped.
    ///   - from: the first one's number, which its handle has.
    init(_ count: Int, from first: Int = 0, of folder: DataFolder, seed: UInt64) throws {
        let key = try folder.nodeKey()
        let store = try JournaledNodeStore(folder: folder.path, key: try SealingKey(try folder.storageKey()))
        let statements = try store.values(.statement).map { try SignedStatement(decoding: $0.value) }
        try store.close()
        let federation = try Membership(key: key, statements: statements).federation
        let parts = 64
        let made = Mutex([[(key: [UInt8], value: [UInt8])]](repeating: [], count: parts))
        DispatchQueue.concurrentPerform(iterations: parts) { part in
            let numbers = (first + count * part / parts)..<(first + count * (part + 1) / parts)
            let rows = numbers.map { Self.row($0, key, federation, seed: seed) }
            made.withLock { $0[part] = rows }
        }
        (self.federation, home, rows) = (federation, NodeID(raw: key.publicKey), made.withLock { $0.flatMap(\.self) })
    }

    private static func row(_ number: Int, _ node: SigningKey, _ federation: FederationID, seed: UInt64) -> (key: [UInt8], value: [UInt8]) {
        // Not the generator's own stride, or each user would draw the next one's numbers.
        var random = SeededGenerator(seed: seed &+ UInt64(number) &* 0xd134_2543_de82_ef95)
        let (identity, device) = (SigningKey(using: &random), SigningKey(using: &random))
        let (user, home) = (UserID(raw: identity.publicKey), NodeID(raw: node.publicKey))
        guard let handle = try? Handle("user-\(number)") else { preconditionFailure("user-\(number) is no handle") }
        let deviceID = DeviceID(raw: device.publicKey)
        let certificate = identity.sign(DeviceCertificate.body(user: user, device: deviceID), for: .deviceCertificate)
        let issued = node.sign(HandleCertificate.body(federation: federation, handle: handle, user: user), for: .handleCertificate)
        let record = UserRecord(
            federation: federation, user: user, handle: handle, issuer: home, handleCertificate: issued, home: home,
            devices: [DeviceEntry(device: deviceID, certificate: certificate, extensions: [])], version: 1, previous: .zero,
            published: LoadClock.wall.seconds)
        let body = record.encoded()
        let signed = SignedUserRecord(
            body: body, userSignature: identity.sign(body, for: .userRecord), homeSignature: node.sign(body, for: .homeConsent))
        guard let packed = try? PackedRecord(signed, in: federation) else { preconditionFailure("a record that does not decode") }
        return (user.bytes, packed.row)
    }

    /// Puts them into the node's store, which is not in use.
    func store(in folder: DataFolder) throws {
        let store = try JournaledNodeStore(folder: folder.path, key: try SealingKey(try folder.storageKey()))
        for start in stride(from: 0, to: rows.count, by: 10_000) {
            try store.commit(rows[start..<min(start + 10_000, rows.count)].map { .put(.userRecord, key: $0.key, value: $0.value) })
        }
        try store.close()
    }
}
