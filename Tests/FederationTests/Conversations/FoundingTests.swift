import Cryptography
import Federation
import Groups
import MLS
import Testing
import Vocabulary

@Suite struct FoundingTests {
    private func refusal(
        _ change: (inout Anchorage) throws -> Submission, by index: Int = 0
    ) throws -> [Refusal.Code] {
        var anchorage = try Anchorage(homes: [0, 0, 1])
        let submission = try change(&anchorage)
        let before = anchorage.relay.store.conversations
        let codes = anchorage.refusals(try anchorage.submit(submission, by: index)).map(\.code)
        #expect(anchorage.relay.core.hubEpoch(anchorage.conversation) == nil && anchorage.relay.store.conversations == before)
        return codes
    }

    @Test func `a conversation is founded by a device alone, answered by sent, and is no event`() throws {
        var anchorage = try Anchorage(homes: [0, 0])
        let submission = try anchorage.members[0].found(anchorage.key)
        let effects = try anchorage.submit(submission, by: 0)
        #expect(effects.frames(to: 1) == [.sent(.numbered(1))] && effects.storedEvents == 0)
        #expect(anchorage.relay.core.hubHead(anchorage.conversation) == 0 && anchorage.epoch == 0)
        #expect(anchorage.relay.core.hubRoster(anchorage.conversation) == [anchorage.members[0].entry])
    }

    @Test func `a founding may be repeated with the same bytes, also after a restart and after commits, but not changed`() throws {
        var anchorage = try Anchorage(homes: [0, 0])
        let submission = try anchorage.members[0].found(anchorage.key)
        try anchorage.submit(submission, by: 0)
        try anchorage.add([1], by: 0)
        try anchorage.restart()
        try #expect(anchorage.submit(submission, by: 0).frames(to: 1) == [.sent(.numbered(1))])
        #expect(anchorage.epoch == 1)
        var other = Sailor(anchorage.members[0].person, session: 1, seed: 9)
        try #expect(anchorage.refusals(anchorage.submit(other.found(anchorage.key), by: 0)).map(\.code) == [.conversationExists])
        try #expect(anchorage.refusals(anchorage.submit(submission, by: 1)).map(\.code) == [.conversationExists])
    }

    @Test func `the group's id is the hub's and the conversation's`() throws {
        let codes = try refusal { anchorage in
            let other = ConversationKey(hub: Coast.id(1), conversation: anchorage.conversation)
            let founding = try anchorage.members[0].found(other)
            return Submission(message: .numbered(1), conversation: anchorage.conversation, hub: anchorage.relay.id, kind: founding.kind)
        }
        #expect(codes == [.handshakeInvalid])
    }

    @Test func `a group begins in epoch 0 with one member`() throws {
        let codes = try refusal { anchorage in
            _ = try anchorage.members[0].found(anchorage.key)
            let package = try anchorage.members[1].package()
            var group = try anchorage.members[0].mine
            let commit = try group.commit(CommitPlan([.add(package)]), host: Sailor.host, using: &anchorage.members[0].random)
            try group.merge(commit, host: Sailor.host)
            return anchorage.members[0].submission(1, .found(groupInfo: try group.groupInfo()))
        }
        #expect(codes == [.handshakeInvalid])
    }

    @Test func `only the device of the leaf founds, and only at its home`() throws {
        let another = try refusal({ try $0.members[0].found($0.key) }, by: 1)
        let elsewhere = try refusal({ try $0.members[2].found($0.key) }, by: 2)
        #expect(another == [.handshakeInvalid] && elsewhere == [.notPermitted])
    }

    @Test func `the creator is the only owner of a group, or one of two users`() throws {
        let profiles: [(Anchorage) -> GroupProfile] = [
            { GroupProfile(kind: .group, name: "x", roles: [$0.members[1].person.id: .owner]) },
            { GroupProfile(kind: .group, name: "x", roles: [$0.members[0].person.id: .admin]) },
            { GroupProfile(kind: .group, name: "x", roles: [$0.members[0].person.id: .owner, $0.members[1].person.id: .owner]) },
            { GroupProfile.direct($0.members[1].person.id, $0.members[2].person.id) },
            { GroupProfile(kind: GroupProfile.direct($0.members[0].person.id, $0.members[1].person.id).kind, name: "named") },
        ]
        for profile in profiles {
            let codes = try refusal { anchorage in try anchorage.members[0].found(anchorage.key, profile(anchorage)) }
            #expect(codes == [.notPermitted])
        }
    }

    @Test func `what a group goes on from is signed by its founder, for this group`() throws {
        func succession(by index: Int, as named: Int? = nil, of group: ConversationKey? = nil, _ anchorage: Anchorage) -> Succession {
            let (person, founder) = (anchorage.members[index].person, anchorage.members[named ?? index].person)
            let body = DeviceCertificate.body(user: founder.id, device: founder.deviceID)
            return Succession(
                of: ConversationKey(hub: Coast.id(9), conversation: .numbered(9)), by: group ?? anchorage.key, founder: founder.entry,
                device: person.device, certificate: person.key.sign(body, for: .deviceCertificate))
        }
        func founding(_ made: Succession, _ anchorage: inout Anchorage) throws -> Submission {
            let profile = GroupProfile(kind: .group, name: "x", roles: [anchorage.members[0].person.id: .owner], succession: made)
            return try anchorage.members[0].found(anchorage.key, profile)
        }
        var anchorage = try Anchorage(homes: [0, 0, 1])
        let sound = try founding(succession(by: 0, anchorage), &anchorage)
        #expect(try anchorage.refusals(anchorage.submit(sound, by: 0)).isEmpty)
        func codes(_ made: @escaping (Anchorage) -> Succession) throws -> [Refusal.Code] {
            try refusal { anchorage in try founding(made(anchorage), &anchorage) }
        }
        #expect(try codes { succession(by: 1, $0) } == [.notPermitted])
        #expect(try codes { succession(by: 1, as: 0, $0) } == [.notPermitted])
        let other = ConversationKey(hub: Coast.id(1), conversation: .numbered(8))
        #expect(try codes { succession(by: 0, of: other, $0) } == [.notPermitted])
        let direct = try refusal { anchorage in
            var profile = GroupProfile.direct(anchorage.members[0].person.id, anchorage.members[1].person.id)
            profile.succession = succession(by: 0, anchorage)
            return try anchorage.members[0].found(anchorage.key, profile)
        }
        #expect(direct == [.notPermitted])
    }

    @Test func `a group without our profile, or with more, is refused`() throws {
        for extra in [nil, MLSExtension(type: 0x0005, data: [0])] {
            let codes = try refusal { anchorage in
                let profile = GroupProfile(kind: .group, roles: [anchorage.members[0].person.id: .owner])
                let extensions = extra.map { profile.groupContext + [$0] } ?? []
                let group = try Group.create(
                    id: anchorage.key.groupID, member: anchorage.members[0].identity, extensions: extensions, host: Sailor.host,
                    using: &anchorage.members[0].random)
                return Submission(
                    message: .numbered(1), conversation: anchorage.conversation, hub: anchorage.relay.id,
                    kind: .found(groupInfo: try group.groupInfo()))
            }
            #expect(codes == [.handshakeInvalid])
        }
    }

    @Test func `two users who start at the same moment get two conversations`() throws {
        var anchorage = try Anchorage(homes: [0, 0])
        let profile = GroupProfile.direct(anchorage.members[0].person.id, anchorage.members[1].person.id)
        for index in 0..<2 {
            let key = ConversationKey(hub: anchorage.relay.id, conversation: .numbered(UInt64(70 + index)))
            try #expect(anchorage.refusals(anchorage.submit(anchorage.members[index].found(key, profile), by: index)).isEmpty)
        }
    }
}
