import ClientCore
import Testing
import Vocabulary

@Suite struct UnfinishedWelcomesTests {
    private let hubs = (1...8).map { NodeID(raw: Bytes32([UInt8](repeating: UInt8($0), count: 32)) ?? .zero) }

    private func key(_ number: UInt64, hub: Int = 0) -> ConversationKey {
        ConversationKey(hub: hubs[hub], conversation: ConversationID(raw: Bytes16(7, number)))
    }

    private func part(_ index: UInt16, of count: UInt16, _ key: ConversationKey) -> WelcomePart {
        let bytes = [UInt8](repeating: UInt8(index), count: index + 1 == count ? 100 : Limits.partBytesMax)
        return WelcomePart(key: key, number: 5, index: index, count: count, bytes: bytes)
    }

    private func time(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }

    /// The rows that a profile would have.
    private func store(_ welcomes: inout UnfinishedWelcomes, in rows: inout [ConversationKey: UnfinishedWelcome]) {
        for (key, one) in welcomes.takeChanged() { rows[key] = one }
    }

    @Test func `one of the largest is whole after its last part, and leaves nothing behind`() {
        var (welcomes, rows) = (UnfinishedWelcomes([]), [ConversationKey: UnfinishedWelcome]())
        for index in 0..<(Limits.partsMax - 1) {
            #expect(welcomes.add(part(index, of: Limits.partsMax, key(1)), at: time(1)) == .unfinished)
            store(&welcomes, in: &rows)
            #expect(rows.count == 1)
        }
        guard case .whole(let bytes) = welcomes.add(part(Limits.partsMax - 1, of: Limits.partsMax, key(1)), at: time(1)) else {
            Issue.record("it is not whole")
            return
        }
        #expect(bytes.count == (Int(Limits.partsMax) - 1) * Limits.partBytesMax + 100)
        store(&welcomes, in: &rows)
        #expect(rows.isEmpty)
    }

    @Test func `what a hub begins without end has its bound, and displaces nothing of another hub`() {
        var (welcomes, rows) = (UnfinishedWelcomes([]), [ConversationKey: UnfinishedWelcome]())
        let genuine = key(0, hub: 1)
        for index in 0..<UInt16(20) {
            let step = welcomes.add(part(index, of: 20, genuine), at: time(Int64(index)))
            if index == 19 { if case .whole = step {} else { Issue.record("the genuine one is not whole") } }
            // One that has waited longest of all, beside a flood of what has just come.
            for number in 0..<20 { _ = welcomes.add(part(0, of: 64, key(UInt64(index) * 100 + UInt64(number) + 1)), at: time(1000)) }
            store(&welcomes, in: &rows)
            #expect(rows.values.reduce(0) { $0 + ($1.key.hub == hubs[0] ? $1.parts : 0) } <= ClientLimits.welcomePartsPerHubMax)
        }
        #expect(rows[genuine] == nil && rows.count == ClientLimits.welcomePartsPerHubMax)
    }

    @Test func `many hubs that begin without end displace each other, not whom little is begun by`() {
        var (welcomes, rows) = (UnfinishedWelcomes([]), [ConversationKey: UnfinishedWelcome]())
        let genuine = key(0, hub: 7)
        _ = welcomes.add(part(0, of: 3, genuine), at: time(0))
        for number in 1..<UInt64(1000) { _ = welcomes.add(part(0, of: 64, key(number, hub: Int(number % 7))), at: time(1)) }
        store(&welcomes, in: &rows)
        #expect(rows.values.reduce(0) { $0 + $1.parts } == ClientLimits.welcomePartsMax)
        #expect(welcomes.add(part(1, of: 3, genuine), at: time(2)) == .unfinished)
        if case .whole = welcomes.add(part(2, of: 3, genuine), at: time(2)) {} else { Issue.record("the genuine one is not whole") }
    }

    @Test func `a part that comes again is known, one whose beginning is not here is told apart`() {
        var welcomes = UnfinishedWelcomes([])
        _ = welcomes.add(part(0, of: 4, key(1)), at: time(0))
        _ = welcomes.add(part(1, of: 4, key(1)), at: time(0))
        #expect(welcomes.add(part(1, of: 4, key(1)), at: time(0)) == .known)
        #expect(welcomes.add(part(3, of: 4, key(1)), at: time(0)) == .beginningMissing)
        #expect(welcomes.add(part(2, of: 5, key(1)), at: time(0)) == .beginningMissing)
        #expect(welcomes.add(part(2, of: 4, key(1, hub: 1)), at: time(0)) == .beginningMissing)
        #expect(welcomes.add(WelcomePart(key: key(1), number: 5, index: 0, count: 4, bytes: [1]), at: time(0)) == .malformed)
        #expect(welcomes.add(part(2, of: 4, key(1)), at: time(0)) == .unfinished)
    }

    @Test func `what has waited for as long as a home keeps anything is forgotten, on disk too`() throws {
        var (welcomes, rows) = (UnfinishedWelcomes([]), [ConversationKey: UnfinishedWelcome]())
        _ = welcomes.add(part(0, of: 4, key(1)), at: time(0))
        _ = welcomes.add(part(0, of: 4, key(2)), at: time(100))
        store(&welcomes, in: &rows)
        // Through its stored form.
        welcomes = UnfinishedWelcomes(try rows.values.map { try UnfinishedWelcome(decoding: $0.encoded()) })
        welcomes.expire(at: time(1) + ClientLimits.welcomesKeptFor)
        store(&welcomes, in: &rows)
        #expect(rows.keys.sorted() == [key(2)])
        welcomes.remove(key(2).conversation)
        store(&welcomes, in: &rows)
        #expect(rows.isEmpty)
    }
}
