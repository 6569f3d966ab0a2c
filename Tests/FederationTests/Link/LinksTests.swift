import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct LinksTests {
    private let peer = Coast.id(1)
    private var random = SeededGenerator(seed: 1)

    /// Both sides of two links that were dialled at the same moment, made known in every order: the one of the lower id stays on both.
    @Test(arguments: [false, true], [false, true])
    func `of two links made at the same moment both sides keep the same one`(lowSeesOwnFirst: Bool, highSeesOwnFirst: Bool) {
        let (low, high) = Coast.id(0) < Coast.id(1) ? (Coast.id(0), Coast.id(1)) : (Coast.id(1), Coast.id(0))
        let (byLow, byHigh) = (LinkID(1), LinkID(2))
        func remaining(_ node: NodeID, _ peer: NodeID, first: LinkID, second: LinkID) -> LinkID? {
            var links = Links(node: node, cursors: [:])
            for id in [byLow, byHigh] { _ = links.open(id, peer: peer, dialled: (id == byLow) == (node == low), at: .start) }
            #expect(links.establish(first, at: .start) == nil)
            let loser = links.establish(second, at: .start + .milliseconds(5))
            #expect(loser == byHigh)
            return links.link(to: peer)
        }
        #expect(remaining(low, high, first: lowSeesOwnFirst ? byLow : byHigh, second: lowSeesOwnFirst ? byHigh : byLow) == byLow)
        #expect(remaining(high, low, first: highSeesOwnFirst ? byHigh : byLow, second: highSeesOwnFirst ? byLow : byHigh) == byLow)
    }

    @Test func `a link made later takes the place of one whose other end is gone`() {
        for (oldDialled, newDialled) in [(true, false), (false, true), (true, true), (false, false)] {
            var links = Links(node: Coast.id(0), cursors: [:])
            _ = links.open(LinkID(1), peer: peer, dialled: oldDialled, at: .start)
            #expect(links.establish(LinkID(1), at: .start) == nil)
            let later = Instant.start + .seconds(10)
            _ = links.open(LinkID(2), peer: peer, dialled: newDialled, at: later)
            #expect(links.establish(LinkID(2), at: later) == LinkID(1))
            #expect(links.link(to: peer) == LinkID(2))
        }
    }

    @Test mutating func `the end of a link that was replaced does not end the one in use`() {
        var links = Links(node: Coast.id(0), cursors: [:])
        for id in UInt64(1)...2 {
            let now = Instant.start + .seconds(Int64(id) * 10)
            _ = links.open(LinkID(id), peer: peer, dialled: false, at: now)
            _ = links.establish(LinkID(id), at: now)
        }
        #expect(links.close(LinkID(1), at: .start + .seconds(30), using: &random)?.wasInUse == false)
        #expect(links.link(to: peer) == LinkID(2) && links.established == [peer])
        #expect(links.close(LinkID(2), at: .start + .seconds(30), using: &random)?.wasInUse == true)
        #expect(links.established.isEmpty && links.close(LinkID(2), at: .start, using: &random) == nil)
    }

    @Test mutating func `a lost peer is dialled again after a random time that grows to five seconds and no further`() throws {
        var links = Links(node: Coast.id(0), cursors: [:])
        var now = Instant.start
        var delays: [Int64] = []
        for _ in 0..<40 {
            #expect(links.startDialling(peer, at: now) == true)
            #expect(links.startDialling(peer, at: now) == false, "it is being dialled")
            links.dialFailed(peer, at: now, using: &random)
            #expect(links.startDialling(peer, at: now) == false, "it waits")
            let next = try #require(links.nextDial(of: [peer]))
            delays.append((next - now).milliseconds)
            now = next
        }
        #expect(delays.allSatisfy { $0 >= 25 && $0 <= Limits.reconnectDelayMax.milliseconds })
        #expect(delays[0] <= Limits.reconnectDelayMin.milliseconds)
        #expect((delays.suffix(30).max() ?? 0) > 4_000 && Set(delays.suffix(30)).count > 20)
    }

    @Test mutating func `a peer that is known to be back is dialled at once, and a good link forgets the failures`() {
        var links = Links(node: Coast.id(0), cursors: [:])
        for _ in 0..<20 { links.dialFailed(peer, at: .start, using: &random) }
        links.wake(peer, at: .start)
        #expect(links.startDialling(peer, at: .start) == true)
        _ = links.open(LinkID(1), peer: peer, dialled: true, at: .start)
        _ = links.establish(LinkID(1), at: .start)
        #expect(links.nextDial(of: [peer]) == nil)
        _ = links.close(LinkID(1), at: .start, using: &random)
        #expect((links.nextDial(of: [peer]) ?? .start) - .start <= Limits.reconnectDelayMin)
    }

    @Test func `entries at or below what was read are acknowledged again and not done again`() {
        var links = Links(node: Coast.id(0), cursors: [peer: 10])
        _ = links.open(LinkID(1), peer: peer, dialled: false, at: .start)
        _ = links.establish(LinkID(1), at: .start)
        #expect(links.advance(peer, to: 10) == false)
        #expect(links.advance(peer, to: 3) == false)
        let again = links.takeAcknowledgements()
        #expect(again.count == 1 && again.first?.through == 10 && again.first?.link == LinkID(1))
        #expect(links.advance(peer, to: 12) == true)
        #expect(links.advance(peer, to: 20) == true)
        #expect(links.read(from: peer) == 20)
        #expect(links.takeAcknowledgements().map(\.through) == [20])
        #expect(links.takeAcknowledgements().isEmpty)
    }

    @Test func `a peer that comes back with less than it had is noticed, once, and also after a restart`() throws {
        var links = Links(node: Coast.id(0), cursors: [:])
        _ = links.open(LinkID(1), peer: peer, dialled: false, at: .start)
        _ = links.establish(LinkID(1), at: .start)
        #expect(links.returned(peer, having: 0) == false)
        links.acknowledged(by: peer, through: 1_700_000_000_000_000)
        let saved = links.takeUnsaved()
        let row = try #require(saved.first?.row)
        // Within a minute nothing more is written.
        links.acknowledged(by: peer, through: 1_700_000_000_000_500)
        #expect(links.takeUnsaved().isEmpty)
        #expect(links.returned(peer, having: 1_700_000_000_000_500) == false)
        #expect(links.returned(peer, having: 1_600_000_000_000_000) == true)
        #expect(links.returned(peer, having: 1_600_000_000_000_000) == false)

        var reader = ByteReader(row)
        let (read, acknowledged): (QueuePosition, QueuePosition) = (try reader.counter(), try reader.counter())
        var restarted = Links(node: Coast.id(0), cursors: [peer: read], acknowledged: [peer: acknowledged])
        #expect(restarted.returned(peer, having: 1_700_000_000_000_000) == false)
        #expect(restarted.returned(peer, having: 1_699_000_000_000_000) == true)
    }

    @Test func `a stranger may say sixty-four frames, an established peer any number`() {
        var links = Links(node: Coast.id(0), cursors: [:])
        _ = links.open(LinkID(1), peer: peer, dialled: false, at: .start)
        for _ in 0..<64 { #expect(links.countFrame(LinkID(1)) == nil) }
        #expect(links.countFrame(LinkID(1))?.code == .notMember)
        _ = links.establish(LinkID(1), at: .start)
        for _ in 0..<200 { #expect(links.countFrame(LinkID(1)) == nil) }
        #expect(links.countFrame(LinkID(2))?.code == .badFrame)
    }

    @Test func `strangers cannot take every place, and never that of a link dialled from here`() {
        var links = Links(node: Coast.id(0), cursors: [:])
        for index in 0..<UInt64(Limits.linksPendingMax) {
            #expect(links.open(LinkID(index), peer: peer, dialled: false, at: .start) == nil)
        }
        #expect(links.open(LinkID(1_000), peer: peer, dialled: false, at: .start)?.code == .busy)
        #expect(links.open(LinkID(1_001), peer: peer, dialled: true, at: .start) == nil)
        _ = links.establish(LinkID(0), at: .start)
        _ = links.establish(LinkID(1_001), at: .start + .seconds(9))
        #expect(links.open(LinkID(1_002), peer: peer, dialled: false, at: .start) == nil, "what is up is not being set up")
    }

    @Test func `a member finds a place among strangers, but not for any number of links`() {
        var links = Links(node: Coast.id(0), cursors: [:])
        for index in 0..<UInt64(Limits.linksPendingMax) {
            _ = links.open(LinkID(index), peer: MembershipFixture.id(50), dialled: false, at: .start)
        }
        for index in 0..<UInt64(Links.linksPerMemberMax) {
            #expect(links.open(LinkID(1_000 + index), peer: peer, dialled: false, isMember: true, at: .start) == nil)
        }
        #expect(links.open(LinkID(2_000), peer: peer, dialled: false, isMember: true, at: .start)?.code == .busy)
    }

    @Test func `a link that is not established in time is overdue, one that is up is not`() {
        var links = Links(node: Coast.id(0), cursors: [:])
        for id in UInt64(1)...2 { _ = links.open(LinkID(id), peer: peer, dialled: false, at: .start) }
        _ = links.establish(LinkID(2), at: .start)
        #expect(links.overdue(at: .start + Limits.authenticationTimeout).isEmpty)
        #expect(links.overdue(at: .start + Limits.authenticationTimeout + .seconds(1)) == [LinkID(1)])
    }

    @Test func `unproven peers are taken up when they are admitted, with the cursor they said`() {
        var links = Links(node: Coast.id(0), cursors: [:])
        _ = links.open(LinkID(1), peer: peer, dialled: false, at: .start)
        links.markUnproven(LinkID(1), cursor: 44)
        #expect(links.unproven { _ in false }.isEmpty)
        let admitted = links.unproven { $0 == peer }
        #expect(admitted.count == 1 && admitted.first?.0 == LinkID(1) && admitted.first?.1 == 44)
        #expect(links.links(of: peer) == [LinkID(1)])
    }
}
