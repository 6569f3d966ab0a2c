import Cryptography
import Foundation
import Storage
import Testing
import Vocabulary

@Suite struct StoreSecrecyTests {
    let folder: Folder

    init() throws { folder = try Folder() }

    /// The ways in which bytes could stand in a file: raw, hex, and base64 at each of its three alignments.
    private func forms(_ bytes: [UInt8]) -> [[UInt8]] {
        let hex = Hex.encode(bytes)
        let base64 = (0..<3).map { shift in
            Array(Data([UInt8](repeating: 0, count: shift) + bytes).base64EncodedString().utf8.dropFirst(4).dropLast(4))
        }
        return [bytes, Array(hex.utf8), Array(hex.uppercased().utf8)] + base64
    }

    private func found(_ canaries: [String: [UInt8]]) throws -> Set<String> {
        var names: Set<String> = []
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let bytes = folder.bytes(file)
            for (name, canary) in canaries where forms(canary).contains(where: { bytes.contains($0) }) { names.insert(name) }
        }
        return names
    }

    @Test func `no id, name, number or text stands in any file in any form`() throws {
        var random = SeededGenerator(seed: 7)
        let (device, node, hub) = (DeviceID(raw: random.bytes32()), NodeID(raw: random.bytes32()), NodeID(raw: random.bytes32()))
        let conversation = ConversationID.random(using: &random)
        let key = EventKey(conversation: ConversationKey(hub: hub, conversation: conversation), number: 0x0001_0203_0405_06)
        let text = Array("the quick brown envelope".utf8)
        let user = random.bytes(32)
        let handle = Array("alice.of.harbor".utf8)
        let canaries = [
            "device": device.bytes, "node": node.bytes, "hub": hub.bytes, "conversation": conversation.bytes, "text": text, "user": user,
            "handle": handle,
        ]
        let store = try openStore(folder)
        let entry = QueueEntry(position: 1, destination: .device(device), content: text + user, event: key)
        try store.commit([
            .storeEvent(key, bytes: text + device.bytes, held: true), .enqueue(entry), .put(.userRecord, key: user, value: handle),
            .enqueue(QueueEntry(position: 2, destination: .node(node), content: handle, event: key)),
            .put(.conversation, key: conversation.bytes, value: device.bytes + user),
        ])
        #expect(try found(canaries).isEmpty)
        try store.maintain(idle: true)
        #expect(try found(canaries).isEmpty)
        try store.close()
        #expect(try found(canaries).isEmpty)
        // The scan itself finds what is there.
        try folder.write([1, 2] + Array(Data([9] + text).base64EncodedString().utf8), to: "leak")
        #expect(try found(canaries) == ["text"])
    }

    @Test func `what was deleted is in no file once the idle store was maintained`() throws {
        let store = try openStore(folder)
        let big = [UInt8](repeating: 5, count: 30_000)
        try store.commit([
            .storeEvent(.event(1), bytes: big, held: false), .enqueue(1, to: .phone, "small", event: .event(1)), .put(.meta, "k", "v"),
        ])
        try store.maintain(idle: true)
        try store.close()
        let rows = try openRows(folder)
        var sealed: [[UInt8]] = []
        for table in ["entry", "event", "record"] {
            try rows.rows("SELECT sealed FROM \(table)") { row throws(StoreError) in sealed.append(try row.blob(0)) }
        }
        rows.close()
        #expect(sealed.count == 3)
        // A large row stands in the file in pieces, page by page: look for its middle and its end.
        let pieces = sealed.flatMap { [Array($0.prefix(40)), Array($0.dropFirst($0.count / 2).prefix(24)), Array($0.suffix(24))] }
        func standing() -> Int { pieces.count { folder.bytes("store.db").contains($0) || folder.bytes("store.db-wal").contains($0) } }
        #expect(standing() > 6)
        let again = try openStore(folder)
        try again.commit([.dequeue(.phone, through: 1), .remove(.meta, key: Array("k".utf8))])
        try again.maintain(idle: true)
        #expect(standing() == 0)
        #expect(folder.bytes("store.db-wal").isEmpty)
    }

    @Test func `another key is refused, and changes nothing`() throws {
        let store = try openStore(folder)
        try store.commit([.put(.meta, "a", "b")])
        try store.close()
        let error = #expect(throws: StoreError.self) { try openStore(folder, key: 2) }
        guard case .unusable(let why) = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(why.contains("storage.key"))
        #expect(try openStore(folder).shown(.meta) == ["a=b"])
    }

    @Test(arguments: [
        "UPDATE entry SET sealed = (SELECT sealed FROM entry AS other WHERE other.position = 3 - entry.position) WHERE position < 3",
        "UPDATE entry SET queue = (SELECT queue FROM entry WHERE position = 3) WHERE position = 1",
        "UPDATE entry SET queue = (SELECT queue FROM entry WHERE position = 1) WHERE position = 3",
        "UPDATE entry SET position = 9 WHERE position = 1",
        "UPDATE entry SET event = 3 - event WHERE position < 3",
        "UPDATE entry SET event = NULL WHERE position = 1",
        "UPDATE entry SET event = 77 WHERE position = 1",
        "UPDATE event SET sealed = (SELECT sealed FROM event AS other WHERE other.id = 3 - event.id)",
        "UPDATE event SET number = 9 WHERE number = 1",
        "UPDATE record SET sealed = (SELECT sealed FROM record AS other WHERE other.id = 3 - record.id)",
        "UPDATE record SET kind = 9",
    ])
    func `a row that was moved or exchanged is never taken for another, and is told of`(change: String) throws {
        let store = try openStore(folder)
        try store.commit([
            .store(.event(1), "one", held: true), .store(.event(2), "two", held: true), .enqueue(1, to: .phone, "a", event: .event(1)),
            .enqueue(2, to: .phone, "b", event: .event(2)), .enqueue(3, to: .laptop, "c"), .put(.meta, "k", "1"), .put(.meta, "l", "2"),
        ])
        try store.close()
        let rows = try openRows(folder)
        try rows.run(change)
        rows.close()
        let changed = try openStore(folder)
        var isRefused = false
        do {
            for destination in Destination.all { _ = try changed.waiting(destination) }
            for table in StoreTable.allCases { _ = try changed.values(table) }
            _ = try changed.heldEvents(.number(1), after: .zero, bytesMax: .max).events
        } catch StoreError.corrupt {
            isRefused = true
        }
        #expect(isRefused || !changed.damagedRows.isEmpty)
    }
}
