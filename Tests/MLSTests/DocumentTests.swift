import Cryptography
import Foundation
import MLS
import Testing

func helloBetweenTwo() throws -> String? {
    var random = SystemRandom()
    // Here everybody is who they say; yours looks the credential and key up.
    let host = GroupHost(now: 1_800_000_000, refusal: { claim in nil })
    func identity(_ name: String) throws -> MemberIdentity {
        var seed = random.bytes(32)
        return MemberIdentity(
            signer: try SignatureKeyPair(ed25519: Secret(consuming: &seed)), credential: .basic(Array(name.utf8)),
            lifetime: Lifetime(notBefore: host.now - 3600, notAfter: host.now + 90 * 86_400))
    }

    // Bob publishes a key package and keeps its private half.
    let bobsPackage = try OwnKeyPackage.make(member: identity("bob"), using: &random)

    // Ann creates a group, and makes the commit that adds bob.
    var ann = try Group.create(id: random.bytes(32), member: identity("ann"), host: host, using: &random)
    let fetched = try KeyPackage.fetched(bobsPackage.published, host: host)
    let pending = try ann.commit(CommitPlan([.add(fetched)]), host: host, using: &random)

    // The Delivery Service has accepted `pending.message`: only now she merges it, and the Welcome leaves.
    try ann.merge(pending, host: host)
    guard let welcome = pending.welcome else { return nil }
    var bob = try Group.join(welcome, with: bobsPackage, host: host)

    // A message; the delta goes to disk together with it, before it is sent.
    let sealed = try ann.seal(Array("hello".utf8), authenticatedData: [1], paddedTo: 256, using: &random)
    let delta = ann.takeChanges()
    guard !delta.isEmpty, case .application(let message) = try bob.process(sealed, host: host) else { return nil }
    return String(decoding: message.data, as: UTF8.self)
}

@Suite struct DocumentTests {
    @Test func `the example of the landing page works, and is what stands here`() throws {
        #expect(try helloBetweenTwo() == "hello")
        let here = URL(fileURLWithPath: #filePath)
        let page = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Sources/MLS/MLS.docc/MLS.md")
        let parts = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```")
        try #require(parts.count == 3)
        let example = try #require(parts[1].components(separatedBy: "import MLS\n").last)
        #expect(try String(contentsOf: here, encoding: .utf8).contains(example))
    }
}
