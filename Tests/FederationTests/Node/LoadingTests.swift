import Federation
import Testing
import Vocabulary

@Suite struct LoadingTests {
    private let hub = NodeID(raw: Bytes32([UInt8](repeating: 1, count: 32)) ?? .zero)
    private let device = DeviceID(raw: Bytes32([UInt8](repeating: 2, count: 32)) ?? .zero)
    private let user = UserID(raw: Bytes32([UInt8](repeating: 3, count: 32)) ?? .zero)

    private func key(_ number: UInt64) -> ConversationKey {
        ConversationKey(hub: hub, conversation: ConversationID(raw: Bytes16(7, number)))
    }

    @Test func `who wakes a conversation waits for what is said there to be on disk, and for nobody else's`() {
        let needed = RowsNeeded.conversation(key(1).conversation)
        func writes(of key: ConversationKey) -> [StoreWrite] {
            let (name, event) = (key.conversation.bytes, EventKey(conversation: key, number: 5))
            return [.conversation, .group, .head].map { .put($0, key: name, value: [1]) } + [
                .put(.watermark, key: name + device.bytes, value: [1]), .remove(.watermark, key: name + device.bytes),
                .remove(.conversation, key: name), .storeEvent(event, bytes: [1], held: true), .releaseEvent(event),
            ]
        }
        #expect(writes(of: key(1)).allSatisfy { needed.isChanged(by: $0) })
        #expect(!writes(of: key(2)).contains { needed.isChanged(by: $0) })
        #expect(!needed.isChanged(by: .put(.keyPackages, key: device.bytes, value: [])))
    }

    @Test func `who asks for events waits for their release, and who signs in for his own KeyPackages`() {
        let (one, other) = (EventKey(conversation: key(1), number: 5), EventKey(conversation: key(1), number: 6))
        let events = RowsNeeded.events([one], for: RosterEntry(user: user, device: device))
        #expect(events.isChanged(by: .releaseEvent(one)) && events.isChanged(by: .storeEvent(one, bytes: [], held: true)))
        #expect(events.isChanged(by: .dequeue(.node(hub), through: 3)))
        #expect(!events.isChanged(by: .releaseEvent(other)))
        #expect(!events.isChanged(by: .put(.head, key: key(1).conversation.bytes, value: [])))
        let packages = RowsNeeded.keyPackages(device)
        #expect(packages.isChanged(by: .put(.keyPackages, key: device.bytes, value: [])))
        #expect(!packages.isChanged(by: .put(.keyPackages, key: user.bytes, value: [])))
    }
}
