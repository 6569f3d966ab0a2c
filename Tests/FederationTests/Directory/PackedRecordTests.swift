import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct PackedRecordTests {
    @Test func `what is packed comes back byte for byte, from a row and from a frame`() throws {
        var world = try World(nodes: 2)
        let alice = try world.person("alice", at: world.sites[0])
        let first = try alice.record()
        let moved = try alice.record(version: 300, after: first, home: world.sites[1], published: 1)
        let alone = SignedUserRecord(body: first.body, userSignature: first.userSignature, homeSignature: nil)
        for record in [first, moved, alone] {
            let packed = try PackedRecord(record, in: World.federation)
            #expect(try packed.signed(in: World.federation) == record)
            #expect(packed.row.count < record.encoded().count - 70)
            let read = try PackedRecord(row: packed.row, key: alice.id.bytes, in: World.federation)
            #expect(try read.signed(in: World.federation) == record)
            #expect(try PackedRecord(row: record.encoded(), key: alice.id.bytes, in: World.federation) == packed)
            let nodes = world.sites.map(\.id)
            let frame = packed.inFrame { nodes.firstIndex(of: $0) ?? 0 }
            #expect(try PackedRecord(inFrame: frame, nodes: nodes) == packed)
            // Whatever is cut off is missed, and nothing else is taken for a record.
            for length in 0..<frame.count {
                let cut = try? PackedRecord(inFrame: Array(frame.prefix(length)), nodes: nodes).signed(in: World.federation)
                #expect(cut == nil)
            }
            #expect(throws: CodecError.self) { _ = try PackedRecord(inFrame: frame, nodes: []) }
        }
        #expect(throws: CodecError.self) { _ = try PackedRecord(first, in: FederationID(raw: .zero)) }
    }

    @Test func `a heap keeps what is in it while others come and go`() {
        var random = SeededGenerator(seed: 3)
        var heap = RecordHeap()
        var held: [Int: [UInt8]] = [:]
        for step in 0..<20_000 {
            if step % 3 == 2, let slot = held.keys.randomElement(using: &random) {
                heap.remove(slot)
                held[slot] = nil
            } else {
                let bytes = random.bytes(200 + Int(random.next() % 300))
                let slot = heap.insert(bytes)
                #expect(held[slot] == nil)
                held[slot] = bytes
            }
        }
        #expect(heap.count == held.count)
        #expect(held.allSatisfy { heap[$0.key].map(Array.init) == $0.value })
        // Rewriting all of it again and again takes no more memory.
        let pages = heap.pageCount
        for _ in 0..<5 {
            for (slot, bytes) in held {
                heap.remove(slot)
                #expect(heap.insert(bytes) == slot)
            }
        }
        #expect(heap.pageCount <= 2 * pages + 1)
        #expect(held.allSatisfy { heap[$0.key].map(Array.init) == $0.value })
    }
}
