import Cryptography
import Groups
import MLS
import Testing
import Vocabulary

@Suite struct SuccessionTests {
    private let user: SigningKey
    private let device: SigningKey
    private let old: ConversationKey
    private let new: ConversationKey

    init() {
        var random = SystemRandomNumberGenerator()
        (user, device) = (SigningKey(using: &random), SigningKey(using: &random))
        old = ConversationKey(hub: NodeID(raw: random.bytes32()), conversation: .random(using: &random))
        new = ConversationKey(hub: NodeID(raw: random.bytes32()), conversation: .random(using: &random))
    }

    private var founder: RosterEntry { RosterEntry(user: UserID(raw: user.publicKey), device: DeviceID(raw: device.publicKey)) }

    private func succession(by signer: SigningKey? = nil, certifiedBy issuer: SigningKey? = nil) -> Succession {
        let certificate = (issuer ?? user).sign(DeviceCertificate.body(user: founder.user, device: founder.device), for: .deviceCertificate)
        return Succession(of: old, by: new, founder: founder, device: signer ?? device, certificate: certificate)
    }

    @Test func `what a founder signs holds for that group alone, and only under keys of its own`() {
        #expect(succession().holds(for: new))
        #expect(!succession().holds(for: old))
        #expect(!succession().holds(for: ConversationKey(hub: old.hub, conversation: new.conversation)))
        #expect(!succession(by: user).holds(for: new))
        #expect(!succession(certifiedBy: device).holds(for: new))
    }

    @Test func `a profile that goes on from nothing is encoded as it always was, another one with what it goes on from`() throws {
        var profile = GroupProfile(kind: .group, name: "crew", roles: [founder.user: .owner])
        #expect(profile.encoded().prefix(2) == [0, 1])
        #expect(try GroupProfile(decoding: profile.encoded()) == profile)
        let before = profile.encoded()
        profile.succession = succession()
        #expect(Array(profile.encoded()[2..<before.count]) == Array(before[2...]))
        #expect(profile.encoded().count == before.count + 48 + 64 + 64 + 64)
        #expect(try GroupProfile(decoding: profile.encoded()) == profile)
        #expect(throws: CodecError.self) { try GroupProfile(decoding: [0, 2] + before.dropFirst(2)) }
    }

    @Test func `what a group goes on from never changes`() {
        var profile = GroupProfile(kind: .group, name: "crew", roles: [founder.user: .owner])
        let before = profile.groupContext
        profile.succession = succession()
        for (from, to) in [(before, profile.groupContext), (profile.groupContext, before)] {
            let proposal = CommittedProposal(pending: .groupContextExtensions(to), by: .member(0))
            let refusal = GroupPolicy.refusal(of: [proposal], extensions: from, roster: [founder]) { $0 == 0 ? founder : nil }
            #expect(refusal == "another conversation that this one goes on from")
        }
    }
}
