import Cryptography
import Storage
import Vocabulary

func storageKey(_ byte: UInt8 = 1) throws -> SealingKey { try SealingKey(Secret([UInt8](repeating: byte, count: 32))) }

/// - Parameter journalBytes: of one generation of the journal; small, so that many pass.
func openStore(_ folder: Folder, key: UInt8 = 1, journalBytes: Int? = nil) throws -> JournaledNodeStore {
    try JournaledNodeStore(folder: folder.path, key: storageKey(key), journalBytes: journalBytes)
}

/// What is below the journal, alone.
func openTables(_ folder: Folder, key: UInt8 = 1) throws -> SQLiteNodeStore {
    try SQLiteNodeStore(folder: folder.path, key: storageKey(key))
}

extension JournaledNodeStore {
    var database: Database { tables.database }
}

/// The rows as they are, without the key.
func openRows(_ folder: Folder) throws -> Database {
    try Database(path: folder.file("store.db"), options: .init(applicationID: 0x7068_7331, migrations: ["", ""]))
}

func bytes32(_ byte: UInt8) -> Bytes32 { Bytes32([UInt8](repeating: byte, count: 32)) ?? .zero }
func bytes16(_ byte: UInt8) -> Bytes16 { Bytes16(UInt64(byte), UInt64(byte)) }

extension Destination {
    static let phone = Destination.device(DeviceID(raw: bytes32(1)))
    static let laptop = Destination.device(DeviceID(raw: bytes32(2)))
    /// As `phone`, but a node.
    static let tower = Destination.node(NodeID(raw: bytes32(1)))
    static let all = [phone, laptop, tower]
}

extension ConversationKey {
    static func number(_ number: UInt8) -> ConversationKey {
        ConversationKey(hub: NodeID(raw: bytes32(9)), conversation: ConversationID(raw: bytes16(number)))
    }
}

extension EventKey {
    static func event(_ number: UInt64, of conversation: UInt8 = 1) -> EventKey {
        EventKey(conversation: .number(conversation), number: SequenceNumber(unchecked: number))
    }
}

extension StoreWrite {
    static func enqueue(
        _ position: UInt64, to destination: Destination, _ content: String = "entry", event: EventKey? = nil
    ) -> StoreWrite {
        .enqueue(
            QueueEntry(position: QueuePosition(unchecked: position), destination: destination, content: Array(content.utf8), event: event))
    }

    static func store(_ key: EventKey, _ bytes: String = "event", held: Bool = false) -> StoreWrite {
        .storeEvent(key, bytes: Array(bytes.utf8), held: held)
    }

    static func put(_ table: StoreTable, _ key: String, _ value: String) -> StoreWrite {
        .put(table, key: Array(key.utf8), value: Array(value.utf8))
    }
}

extension NodeStore {
    /// `position:content:event`, everything that waits.
    func waiting(_ destination: Destination) throws -> [String] {
        try page(destination, after: .zero, limit: 1_000_000, bytesMax: .max).map { entry in
            "\(entry.position):\(text(entry.content)):\(entry.event.map { text($0) } ?? "-")"
        }
    }

    func shown(_ table: StoreTable) throws -> [String] { try values(table).map { "\(text($0.key))=\(text($0.value))" } }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
