package import Vocabulary

extension NodeStore {
    /// How far the node has numbered each conversation that it is hub of: for whoever judges what came of an old copy.
    package func heads() throws(StoreError) -> [ConversationID: UInt64] {
        var heads: [ConversationID: UInt64] = [:]
        for row in try values(.conversation) {
            guard let id = ConversationID(row.key) else { continue }
            var reader = ByteReader(try value(.head, key: row.key) ?? [])
            heads[id] = (try? reader.counter(SequenceNumber.self).value) ?? 0
        }
        return heads
    }
}
