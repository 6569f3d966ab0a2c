import Cryptography
import Federation
import Groups
import MLS
import Testing
import Vocabulary

/// Checklist H2: what the hub refuses, by code. A refusal changes nothing.
@Suite struct HandshakeRefusalTests {
    /// What a submission is answered with in a group of these homes.
    private func code(
        _ homes: [Int] = [0, 0, 0, 1], by index: Int = 0, prepare: (inout Anchorage) throws -> Void = { _ in },
        _ submission: (inout Anchorage) throws -> Submission
    ) throws -> Refusal.Code? {
        var anchorage = try Anchorage.group(homes)
        try prepare(&anchorage)
        let made = try submission(&anchorage)
        let before = (anchorage.relay.store.conversations, anchorage.epoch, anchorage.relay.core.hubRoster(anchorage.conversation))
        let refusals = anchorage.refusals(try anchorage.submit(made, by: index))
        if !refusals.isEmpty {
            #expect(anchorage.relay.store.conversations == before.0 && anchorage.epoch == before.1)
            #expect(anchorage.relay.core.hubRoster(anchorage.conversation) == before.2)
        }
        return refusals.first?.code
    }

    private func expect(
        _ expected: Refusal.Code?, by index: Int = 0, at location: SourceLocation = #_sourceLocation,
        _ submission: (inout Anchorage) throws -> Submission
    ) throws {
        let code = try code(by: index, submission)
        #expect(code == expected, sourceLocation: location)
    }

    private func bundle(_ submission: Submission) throws -> CommitBundle {
        guard case .commit(let bundle) = submission.kind else { throw Sailor.Missing() }
        return bundle
    }

    @Test func `a commit that leaves out pending proposals`() throws {
        let code = try code(
            prepare: { try $0.submit(try $0.members[2].leave(message: 30), by: 2) },
            { anchorage in
                try anchorage.members[0].commit([], references: [], message: 31)
            })
        #expect(code == .proposalsMissing)
    }

    @Test func `a commit with a reference that the hub has not seen`() throws {
        let code = try code { anchorage in
            var group = try anchorage.members[0].mine
            _ = try group.process(try anchorage.members[2].proposalBytes(), host: Sailor.host)
            anchorage.members[0].group = group
            return try anchorage.members[0].commit([], message: 31)
        }
        #expect(code == .handshakeInvalid)
    }

    @Test func `a commit of another group`() throws {
        let code = try code { anchorage in
            var other = try Anchorage.group([0, 0])
            let key = ConversationKey(hub: anchorage.relay.id, conversation: .numbered(2))
            _ = try other.members[0].found(key)
            let made = try self.bundle(try other.members[0].commit([], message: 31))
            let bundle = CommitBundle(epoch: 1, commit: made.commit, welcome: nil, groupInfo: made.groupInfo)
            return anchorage.members[0].submission(31, .commit(bundle))
        }
        // Its leaf 0 is of the same device; the group's id differs.
        #expect(code == .handshakeInvalid)
    }

    @Test func `a commit signed by somebody else than its leaf`() throws {
        let code = try code { anchorage in
            let made = try anchorage.members[0].commit([], message: 31)
            let group = try anchorage.members[0].mine
            let forged = try group.forged(
                .commit(Commit(items: [], path: nil)), signer: SignatureKeyPair(ed25519: anchorage.members[1].person.device.seed))
            return anchorage.members[0].submission(
                31, .commit(CommitBundle(epoch: 1, commit: forged, welcome: nil, groupInfo: try self.bundle(made).groupInfo)))
        }
        #expect(code == .handshakeInvalid)
    }

    @Test func `a commit handed in by another device than made it`() throws {
        try expect(.notOnRoster, by: 1) { try $0.members[0].commit([], message: 31) }
    }

    @Test func `a Welcome that is missing, too much, or for others than are added`() throws {
        func changed(_ welcome: ([UInt8]?, Anchorage) throws -> [UInt8]?, adding: Bool) throws -> Refusal.Code? {
            var anchorage = try Anchorage(homes: [0, 0, 0, 0])
            try anchorage.submit(try anchorage.members[0].found(anchorage.key), by: 0)
            try anchorage.add([1], by: 0)
            let proposals: [Proposal] = adding ? [.add(try anchorage.members[2].package())] : []
            let made = try bundle(try anchorage.members[0].commit(proposals, message: 31))
            let bundle = CommitBundle(
                epoch: 1, commit: made.commit, welcome: try welcome(made.welcome, anchorage), groupInfo: made.groupInfo)
            return anchorage.refusals(try anchorage.submit(anchorage.members[0].submission(31, .commit(bundle)), by: 0)).first?.code
        }
        let foreign: ([UInt8]?, Anchorage) throws -> [UInt8]? = { _, anchorage in
            var (other, third) = (anchorage.members[0], anchorage.members[3])
            let commit = try other.mine.commit(CommitPlan([.add(try third.package())]), host: Sailor.host, using: &other.random)
            return commit.welcome
        }
        try #expect(changed({ welcome, _ in welcome }, adding: true) == nil)
        try #expect(changed({ _, _ in nil }, adding: true) == .handshakeInvalid)
        try #expect(changed(foreign, adding: true) == .handshakeInvalid)
        try #expect(changed(foreign, adding: false) == .handshakeInvalid)
        try #expect(changed({ _, _ in [1, 2, 3] }, adding: true) == .handshakeInvalid)
    }

    @Test func `what roles forbid, also by reference`() throws {
        try expect(.notPermitted, by: 1) { anchorage in
            let leaf = try anchorage.members[1].leaf(of: anchorage.members[2].person)
            return try anchorage.members[1].commit([.remove(leaf)], message: 31)
        }
        // The proposer answers for what is taken up by reference: a removal of another is no proposal to make at all.
        try expect(.notPermitted, by: 1) { anchorage in
            let leaf = try anchorage.members[1].leaf(of: anchorage.members[2].person)
            return try anchorage.members[1].propose(.remove(leaf), message: 31)
        }
        try expect(.notPermitted) { anchorage in
            let profile = GroupProfile(kind: .group, name: "x", roles: [:])
            return try anchorage.members[0].commit([.groupContextExtensions(profile.groupContext)], message: 31)
        }
        try expect(.notPermitted) { try $0.members[0].propose(.groupContextExtensions([]), message: 31) }
    }

    @Test func `the only owner stays while others do`() throws {
        try expect(.notPermitted) { try $0.members[0].leave(message: 31) }
        try expect(nil, by: 1) { try $0.members[1].leave(message: 31) }
    }

    @Test func `a device that leaves twice, which no commit could take up`() throws {
        let code = try code(
            by: 2, prepare: { try $0.submit(try $0.members[2].leave(message: 30), by: 2) },
            { anchorage in
                var other = anchorage.members[2]
                other.random = SeededGenerator(seed: 99)
                return try other.leave(message: 32)
            })
        #expect(code == .notPermitted)
    }

    @Test func `a proposal in another's name, or not for this epoch`() throws {
        try expect(.notOnRoster, by: 1) { try $0.members[2].leave(message: 31) }
        try expect(.staleEpoch, by: 2) { anchorage in
            guard case .proposal(_, let message) = try anchorage.members[2].leave(message: 31).kind else { throw Sailor.Missing() }
            return anchorage.members[2].submission(31, .proposal(epoch: 5, message: message))
        }
    }

    @Test func `somebody added whom the directory does not know, or with a device that the record lacks`() throws {
        try expect(.unknownUser) { anchorage in
            var random = SeededGenerator(seed: 4)
            var stranger = Sailor(try Person("stranger", at: Coast.site(0), using: &random), session: 0, seed: 5)
            return try anchorage.members[0].commit([.add(try stranger.package())], message: 31)
        }
        try expect(.rosterInvalid) { anchorage in
            var random = SeededGenerator(seed: 4)
            let other = try Person("other", at: Coast.site(0), using: &random)
            var second = Sailor(anchorage.members[1].person.with(device: other.device), session: 0, seed: 5)
            return try anchorage.members[0].commit([.add(try second.package())], message: 31)
        }
    }

    @Test func `data that is no message of this conversation and epoch`() throws {
        try expect(.handshakeInvalid) { $0.members[0].submission(31, .application(epoch: 1, payload: Array("hello".utf8))) }
        try expect(.handshakeInvalid) { anchorage in
            guard case .application(_, let payload) = try anchorage.members[0].say("x", message: 31).kind else { throw Sailor.Missing() }
            return anchorage.members[0].submission(31, .application(epoch: 0, payload: payload))
        }
        try expect(.handshakeInvalid) { anchorage in
            let bytes = try anchorage.members[2].proposalBytes()
            return anchorage.members[2].submission(31, .application(epoch: 1, payload: bytes))
        }
    }

    @Test func `handshakes for a conversation that is not there`() throws {
        var anchorage = try Anchorage.group([0, 0])
        let commit = try anchorage.members[0].commit([], message: 31)
        let submission = Submission(message: .numbered(31), conversation: .numbered(6), hub: anchorage.relay.id, kind: commit.kind)
        try #expect(anchorage.refusals(anchorage.submit(submission, by: 0)).map(\.code) == [.unknownConversation])
    }

    @Test func `a member whose devices are partly removed by another`() throws {
        var anchorage = try Anchorage.withTwoDevices()
        let leaf = try anchorage.members[0].leaf(of: anchorage.members[1].person)
        try #expect(
            anchorage.refusals(anchorage.submit(anchorage.members[0].commit([.remove(leaf)], message: 40), by: 0)).map(\.code) == [
                .notPermitted
            ])
        let both = try [1, 2].map { Proposal.remove(try anchorage.members[0].leaf(of: anchorage.members[$0].person)) }
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[0].commit(both, message: 41), by: 0)).isEmpty)
        #expect(anchorage.relay.core.hubRoster(anchorage.conversation) == [anchorage.members[0].entry])
    }

    @Test func `a member may add and remove single devices of its own`() throws {
        var anchorage = try Anchorage.withTwoDevices()
        let leaf = try anchorage.members[1].leaf(of: anchorage.members[2].person)
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[1].commit([.remove(leaf)], message: 40), by: 1)).isEmpty)
        let package = try anchorage.members[2].package()
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[1].commit([.add(package)], message: 41), by: 1)).isEmpty)
        #expect(anchorage.relay.core.hubRoster(anchorage.conversation).count == 3)
    }
}

extension Sailor {
    /// A proposal to leave that the hub has not seen.
    mutating func proposalBytes() throws -> [UInt8] {
        guard case .proposal(_, let message) = try leave(message: 999).kind else { throw Missing() }
        return message
    }
}

extension Person {
    /// The same user with another device.
    func with(device: SigningKey) -> Person { Person(key: key, device: device, handle: handle, issuer: issuer) }
}

extension Anchorage {
    /// Sailor 0 alone, and a user with two devices: members 1 and 2.
    static func withTwoDevices() throws -> Anchorage {
        var coast = Coast(nodes: 2)
        let (alice, bob) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0))
        var random = SeededGenerator(seed: 31)
        let second = bob.with(device: SigningKey(using: &random))
        var anchorage = try Anchorage(homes: [], nodes: 2)
        let store = anchorage.relay.store
        try store.commit([
            .put(.userRecord, key: alice.id.bytes, value: try alice.record(federation: coast.federation).encoded()),
            .put(.userRecord, key: bob.id.bytes, value: try bob.record(and: second, federation: coast.federation).encoded()),
        ])
        try anchorage.relay.restart()
        try anchorage.relay.link(1_000, to: Coast.id(1))
        anchorage.members = [
            Sailor(alice, session: 1, seed: 600), Sailor(bob, session: 2, seed: 601), Sailor(second, session: 3, seed: 602),
        ]
        for member in anchorage.members { try anchorage.relay.signIn(member.person, as: member.session) }
        try anchorage.submit(try anchorage.members[0].found(anchorage.key), by: 0)
        try anchorage.add([1, 2], by: 0)
        return anchorage
    }
}

extension Person {
    func record(and second: Person, federation: FederationID) throws -> SignedUserRecord {
        let entries = [self, second].map { person in
            DeviceEntry(
                device: person.deviceID,
                certificate: key.sign(DeviceCertificate.body(user: id, device: person.deviceID), for: .deviceCertificate), extensions: [])
        }
        let body = HandleCertificate.body(federation: federation, handle: handle, user: id)
        let record = UserRecord(
            federation: federation, user: id, handle: handle, issuer: issuer.id,
            handleCertificate: issuer.key.sign(body, for: .handleCertificate), home: issuer.id,
            devices: entries.sorted { $0.device < $1.device }, version: 1, previous: .zero, published: 1_700_000_000)
        let encoded = record.encoded()
        return SignedUserRecord(
            body: encoded, userSignature: key.sign(encoded, for: .userRecord), homeSignature: issuer.key.sign(encoded, for: .homeConsent))
    }
}
