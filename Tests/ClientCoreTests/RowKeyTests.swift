import ClientCore
import Groups
import Testing
import Vocabulary

@Suite struct RowKeyTests {
    private let key = ConversationKey(hub: NodeID(raw: Digest.zero.raw), conversation: ConversationID(raw: Bytes16(1, 2)))
    private let author = UserID(raw: Digest.zero.raw)
    private let message = MessageID(raw: Bytes16(3, 4))

    private func record(_ body: MessageRecord.Body, _ number: SequenceNumber) -> MessageRecord {
        MessageRecord(
            message: message, peer: .group(key.conversation), author: author, conversation: key, body: body,
            sent: Timestamp(milliseconds: 0), status: MessageStatus(.delivered, number: number))
    }

    @Test func `a change of a group is shown whatever id its author gives it`() {
        #expect(record(.membership(.renamed("crew")), 7).rowKey != record(.membership(.added([author])), 8).rowKey)
        #expect(record(.membership(.renamed("crew")), 7).rowKey == record(.membership(.renamed("crew")), 7).rowKey)
    }

    @Test func `a message that comes a second time is the first one, under whatever number`() {
        #expect(record(.incoming("hello"), 7).rowKey == record(.incoming("hello"), 8).rowKey)
    }
}
