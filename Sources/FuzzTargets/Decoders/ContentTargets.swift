internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

/// What other members put inside messages and groups, and the parcels that hubs hand out.
enum ContentTargets {
    static func content() throws -> Decoders {
        let zero = Bytes32.zero
        let contents = [
            Content(.text("hello"), sent: Timestamp(milliseconds: 1_700_000_000_000), frankingKey: zero),
            Content(.presenceToken(zero), sent: Timestamp(milliseconds: 0), frankingKey: zero),
            Content(.unknown(9), sent: Timestamp(milliseconds: 1), frankingKey: zero),
        ]
        let user = UserID(raw: zero)
        let key = ConversationKey(hub: NodeID(raw: zero), conversation: ConversationID(raw: Bytes16(1, 2)))
        let entry = RosterEntry(user: user, device: DeviceID(raw: zero))
        let device = try SigningKey(seed: Secret(zero.bytes))
        let succession = Succession(
            of: key, by: ConversationKey(hub: key.hub, conversation: ConversationID(raw: Bytes16(3, 4))), founder: entry, device: device,
            certificate: device.sign([], for: .deviceCertificate))
        let profiles = [
            GroupProfile.direct(user, user), GroupProfile(kind: .group, name: "crew", roles: [user: .owner], mayAdd: .member),
            GroupProfile(kind: .group, name: "crew", roles: [user: .owner], succession: succession),
        ]
        let welcome = WelcomeParcel(sender: entry, chain: .zero, welcome: [1, 2], tree: [3])
        let group = GroupParcel(groupInfo: [1], tree: [2, 3], head: 7, chain: .zero)
        let bindings = [SequenceNumber?.none, 4].map {
            MessageBinding(message: MessageID(raw: Bytes16(3, 4)), head: 5, chain: .zero, resumed: $0)
        }
        return Decoders([
            .init("content", seeds: contents.map { $0.encoded() }, decode: Content.init(decoding:)) {
                $0.encoded()
            } holds: { content throws(Finding) in
                guard case .text(let text) = content.body else { return }
                try promise(text.utf8.count <= Limits.textBytesMax, "a text of \(text.utf8.count) bytes")
            },
            .init("group profile", seeds: profiles.map { $0.encoded() }, decode: GroupProfile.init(decoding:)) {
                $0.encoded()
            } holds: { profile throws(Finding) in
                try promise(profile.name.utf8.count <= GroupProfile.nameBytesMax, "a name of \(profile.name.utf8.count) bytes")
                try promise(profile.roles.count <= GroupProfile.rolesMax, "\(profile.roles.count) roles")
            },
            .init("binding", seeds: bindings.map { $0.encoded() }, isCanonical: true, decode: MessageBinding.init(decoding:)) {
                $0.encoded()
            },
            .init("welcome parcel", seeds: [welcome.encoded()], isCanonical: true, decode: WelcomeParcel.init(decoding:)) { $0.encoded() },
            .init("group parcel", seeds: [group.encoded()], isCanonical: true, decode: GroupParcel.init(decoding:)) { $0.encoded() },
            .init(seeds: [key.groupID]) { bytes throws(Finding) in
                guard let read = ConversationKey(groupID: bytes) else { return false }
                try promise(read.groupID == bytes, "two encodings of one group id")
                return true
            },
        ])
    }
}
