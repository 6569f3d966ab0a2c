import Federation
import RelayNode
import Testing
import Vocabulary

@Suite struct FairOrderTests {
    private typealias Said = (by: FairOrder.Speaker, number: Int)

    @Test func `who sends much waits behind itself, and what each said keeps its order`() {
        let flood = (1...60).map { Said(.link(LinkID(1)), $0) }
        let others: [Said] = [(.session(SessionID(1)), 1), (.session(SessionID(2)), 1), (.session(SessionID(1)), 2), (.node, 1)]
        let order = FairOrder.interleaved(flood + others) { $0.by }
        #expect(order.count == 64)
        // Of the others each is there before the flood had a third turn.
        #expect(order.prefix(6).count { $0.by != .link(LinkID(1)) } == 4)
        for speaker in [FairOrder.Speaker.link(LinkID(1)), .session(SessionID(1)), .session(SessionID(2)), .node] {
            let numbers = order.filter { $0.by == speaker }.map(\.number)
            #expect(numbers == numbers.sorted())
        }
    }

    @Test func `a session and a link of one number are two, and opening and closing stand with what is said between`() {
        #expect(FairOrder.speaker(of: .sessionOpened(SessionID(1))) == FairOrder.speaker(of: .sessionFrame(SessionID(1), .ping(1))))
        #expect(FairOrder.speaker(of: .sessionClosed(SessionID(1))) != FairOrder.speaker(of: .linkClosed(LinkID(1))))
        #expect(FairOrder.speaker(of: .linkFrame(LinkID(2), .acknowledge(through: 1))) == FairOrder.speaker(of: .linkClosed(LinkID(2))))
    }
}
