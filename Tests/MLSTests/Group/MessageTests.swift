import Cryptography
import MLS
import Testing
import Vocabulary

@Suite struct MessageTests {
    var fleet: Fleet

    init() throws {
        fleet = try Fleet(seed: 41)
        try fleet.add(["bob", "cid"], by: "ann")
    }

    @Test mutating func `messages arrive in the order 3, 1, 2, and a replay is refused`() throws {
        let sealed = try (0..<3).map { try fleet.seal("ann", [UInt8($0)]) }
        var bob = fleet["bob"]
        for index in [2, 0, 1] {
            guard case .application(let message) = try bob.process(sealed[index], host: fleet.host) else { return }
            #expect(message.data == [UInt8(index)] && message.generation == UInt32(index))
        }
        for index in 0..<3 {
            #expect(throws: MLSError.generationConsumed(UInt32(index))) { try bob.process(sealed[index], host: fleet.host) }
        }
    }

    @Test mutating func `a message that fails costs the true one nothing`() throws {
        let sealed = try fleet.seal("ann", [1, 2, 3])
        var bob = fleet["bob"]
        let before = bob
        for index in sealed.indices {
            var bad = sealed
            bad[index] ^= 0x55
            #expect(throws: MLSError.self) { try bob.process(bad, host: fleet.host) }
        }
        #expect(bob == before)
        _ = try bob.process(sealed, host: fleet.host)
    }

    @Test mutating func `own messages are told apart, also after a resync moved our leaf`() throws {
        let sealed = try fleet.seal("cid", [1])
        #expect(throws: MLSError.ownMessage) { try fleet["cid"].process(sealed, host: fleet.host) }
        let before = try fleet.seal("ann", [5])
        try fleet.remove("bob", by: "ann")
        #expect(throws: MLSError.ownMessage) { try fleet["cid"].process(sealed, host: fleet.host) }
        // The leftmost blank leaf is bob's old one: our leaf moves.
        let old = fleet["cid"]
        try fleet.rejoin("cid", through: "ann", replacing: old.ownLeaf)
        #expect(fleet["cid"].ownLeaf != old.ownLeaf)
        var cid = fleet["cid"]
        cid.inheritPast(of: old, host: fleet.host)
        #expect(throws: MLSError.ownMessage) { try cid.process(sealed, host: fleet.host) }
        guard case .application(let late) = try cid.process(before, host: fleet.host) else { return }
        #expect(late.epoch == 1 && late.data == [5])
        var store = StoredGroup()
        store.apply(cid.takeChanges())
        #expect(try Group(restoring: store) == cid)
    }

    @Test mutating func `a late message of a removed member is never the newcomer's at its leaf`() throws {
        let late = try fleet.seal("bob", [1, 2])
        let leaf = fleet["bob"].ownLeaf
        try fleet.remove("bob", by: "ann")
        try fleet.add(["dan"], by: "ann")
        #expect(fleet["dan"].ownLeaf == leaf)
        guard case .application(let message) = try fleet["ann"].process(late, host: fleet.host) else { return }
        #expect(message.leaf.credential == .basic(Array("bob".utf8)) && message.epoch == 1)
        #expect(throws: MLSError.epochForgotten(1)) { try fleet["dan"].process(late, host: fleet.host) }
    }

    @Test mutating func `past epochs are kept by number and by time`() throws {
        let late = try (0..<2).map { try fleet.seal("ann", [UInt8($0)]) }
        for _ in 0..<5 { try fleet.commit("bob") }
        _ = try fleet["cid"].process(late[0], host: fleet.host)
        var slow = fleet["cid"]
        let week = GroupHost.fixture(now: noon + 8 * 86_400)
        #expect(throws: MLSError.epochForgotten(1)) { try slow.process(late[1], host: week) }
        try fleet.commit("bob")
        #expect(throws: MLSError.epochForgotten(1)) { try fleet["cid"].process(late[1], host: fleet.host) }
        slow.forget(host: week)
        #expect(throws: MLSError.epochForgotten(1)) { try slow.process(late[1], host: fleet.host) }
    }

    @Test mutating func `a message of an epoch to come waits, handshakes of past ones are refused`() throws {
        let bob = fleet["bob"]
        let update = try fleet["ann"].forged(.proposal(.remove(2)))
        try fleet.commit("ann")
        let sealed = try fleet.seal("ann", [1])
        var behind = bob
        #expect(throws: MLSError.wrongEpoch(sent: 2, current: 1)) { try behind.process(sealed, host: fleet.host) }
        #expect(throws: MLSError.wrongEpoch(sent: 1, current: 2)) { try fleet["bob"].process(update, host: fleet.host) }
    }

    @Test mutating func `authenticated data cannot be changed`() throws {
        let sealed = try fleet.seal("ann", [1], authenticatedData: [0xab, 0xcd, 0xef])
        let place = try #require(sealed.indices.first { sealed[$0...].starts(with: [0xab, 0xcd, 0xef]) })
        var bad = sealed
        bad[place] ^= 1
        #expect(throws: MLSError.decryptionFailed("message")) { try fleet["bob"].process(bad, host: fleet.host) }
    }

    @Test mutating func `padding hides the length`() throws {
        let lengths = try Set((0..<50).map { try fleet.seal("ann", Array(repeating: 1, count: $0), paddedTo: 256).count })
        #expect(lengths.count == 1)
    }

    @Test mutating func `a false confirmation tag or membership tag leaves the old epoch`() throws {
        let pending = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        guard case .publicMessage(let message) = try MLSMessage(pending.message).body else { return }
        var content = message.authenticated
        var bob = fleet["bob"]
        let bare = MLSMessage(.publicMessage(PublicMessage(authenticated: content, membershipTag: [1]))).bytes
        #expect(throws: MLSError.invalidMembershipTag) { try bob.process(bare, host: fleet.host) }
        content.confirmationTag?[0] ^= 1
        let bad = try fleet["ann"].forged(content.content.body)
        #expect(throws: MLSError.invalidConfirmationTag) { try bob.process(bad, host: fleet.host) }
        #expect(bob == fleet["bob"])
        _ = try bob.process(pending.message, host: fleet.host)
    }

    @Test func `exports differ by label, context and epoch, and end at 255 hashes`() throws {
        let ann = fleet["ann"]
        let some = try [
            ann.export(label: "a", count: 32), ann.export(label: "b", count: 32), ann.export(label: "a", context: [1], count: 32),
        ]
        #expect(some[0] != some[1] && some[0] != some[2])
        #expect(try ann.export(label: "a", count: 255 * 32).count == 255 * 32)
        #expect(throws: MLSError.exportTooLong(255 * 32 + 1)) { try ann.export(label: "a", count: 255 * 32 + 1) }
        #expect(throws: MLSError.exportTooLong(-1)) { try ann.export(label: "a", count: -1) }
    }

    @Test func `no secret is printed`() throws {
        let text = String(reflecting: fleet["ann"]) + String(describing: fleet["ann"]) + "\(fleet["ann"].epochAuthenticator.count)"
        var dumped = ""
        dump(fleet["ann"], to: &dumped)
        for secret in [try fleet["ann"].export(label: "x", count: 32)] {
            #expect(!text.contains(Hex.encode(secret.copyBytes())))
        }
        #expect(dumped.contains("Secret(32 bytes)"))
    }
}
