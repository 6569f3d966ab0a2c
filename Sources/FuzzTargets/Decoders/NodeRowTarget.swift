internal import Federation
internal import Simulation
internal import Vocabulary

/// One row of a node's store is not what the node wrote: the node says so or goes on without it. The first byte says in which table, the
/// second which row.
struct NodeRowTarget: FuzzTarget {
    private let scene: HonestWorld
    private let rows: NodeRows
    private let tables: [[(key: [UInt8], value: [UInt8])]]
    private let conversation: ConversationRows
    /// Of its log.
    private let events: [[UInt8]]

    init() throws {
        scene = try HonestWorld.shared()
        let store = scene.world.store(0)
        let rows = try NodeRows(
            values: { table throws(StoreError) in try store.values(table) }, highestPosition: try store.highestPosition())
        self.rows = rows
        tables = Self.places.map { rows[keyPath: $0] }
        guard case .conversation(_, let conversation)? = try store.rows(.conversation(scene.key.conversation), hub: scene.key.hub) else {
            throw HonestWorld.Failure.noConversation
        }
        self.conversation = conversation
        events = try store.heldEvents(scene.key, after: .zero, bytesMax: .max).events.map(\.bytes)
    }

    private static var places: [WritableKeyPath<NodeRows, NodeRows.Rows>] {
        [
            \.statements, \.tickets, \.invitations, \.reservations, \.records, \.equivocations, \.cursors, \.orders, \.blocked, \.meta,
            \.pendingWatermarks, \.logReaders,
        ]
    }

    var seeds: [[UInt8]] {
        var seeds: [[UInt8]] = []
        for (table, rows) in tables.enumerated() {
            for (row, item) in rows.enumerated().prefix(4) { seeds.append([UInt8(table), UInt8(row)] + item.value) }
        }
        let parts =
            [conversation.founding, conversation.group, conversation.head ?? []]
            + (conversation.watermarks.first.map { [$0.row] } ?? [[]]) + (events.first.map { [$0] } ?? [[]])
        for (part, bytes) in parts.enumerated() { seeds.append([0x80, UInt8(part)] + bytes) }
        if let stock = scene.keyPackageRow { seeds.append([0x81, 0] + stock) }
        for (kind, item) in scene.queued.enumerated().prefix(20) { seeds.append([0x82, UInt8(kind & 1)] + item) }
        return seeds
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        guard input.count >= 2 else { return false }
        let (table, row, bytes) = (input[0], Int(input[1]), Array(input.dropFirst(2)))
        switch table {
        case 0x80: return load(.conversation(scene.key.conversation, conversation(with: bytes, in: row)))
        case 0x81: return try stock(bytes)
        case 0x82: return try item(bytes, ofNode: row & 1 == 0)
        default:
            let place = Self.places[Int(table) % Self.places.count]
            var changed = rows
            if changed[keyPath: place].isEmpty { changed[keyPath: place] = [(key: [1], value: bytes)] }
            let index = row % changed[keyPath: place].count
            changed[keyPath: place][index].value = bytes
            guard var node = try? scene.node(from: changed) else { return false }
            var random = scene.random
            _ = node.step(.deadlineReached, at: scene.world.now, using: &random)
            _ = node.step(.batchEnded, at: scene.world.now, using: &random)
            return true
        }
    }

    private func conversation(with bytes: [UInt8], in part: Int) -> ConversationRows {
        let old = conversation
        var watermarks = old.watermarks
        var events = events
        if part % 5 == 3, !watermarks.isEmpty { watermarks[0].row = bytes }
        if part % 5 == 4 { events = [bytes] + events.dropFirst() }
        var rows = ConversationRows(
            founding: part % 5 == 0 ? bytes : old.founding, group: part % 5 == 1 ? bytes : old.group,
            head: part % 5 == 2 ? bytes : old.head, watermarks: watermarks)
        for event in events { rows.add(event: event) }
        return rows
    }

    /// - Returns: whether the node took it.
    private func load(_ loaded: LoadedRows) -> Bool {
        guard var node = try? scene.node(from: rows) else { return false }
        var random = scene.random
        let effects = node.step(.loaded(loaded), at: scene.world.now, using: &random)
        _ = node.step(.deadlineReached, at: scene.world.now, using: &random)
        _ = node.step(.batchEnded, at: scene.world.now, using: &random)
        return !effects.contains { if case .note(.corruptRow) = $0 { true } else { false } }
    }

    private func stock(_ bytes: [UInt8]) throws(Finding) -> Bool {
        guard let stock = try? KeyPackageStock(row: bytes) else { return false }
        guard let again = try? KeyPackageStock(row: stock.row) else { throw Finding("a stock of KeyPackages does not come back") }
        try promise(again == stock, "a stock of KeyPackages comes back as another one")
        return true
    }

    private func item(_ bytes: [UInt8], ofNode isOfNode: Bool) throws(Finding) -> Bool {
        if isOfNode { return (try? NodeItem(content: bytes, event: scene.storedEvent)) != nil }
        return (try? DeviceItem(content: bytes, event: scene.storedEvent)) != nil
    }
}
