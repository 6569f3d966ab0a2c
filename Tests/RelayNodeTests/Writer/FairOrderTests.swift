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

    @Test func `what carries no messages adds up however cheap it is, with its decoding, and makes who floods with it rest`() {
        var shares = FairOrder.Shares()
        let start = Instant.start + .seconds(1)
        shares.had(.microseconds(40), by: bystander, bytes: nil, at: start)
        for _ in 0..<60 { shares.had(.microseconds(20), by: flood, bytes: 0, at: start) }
        for _ in 0..<1_000 { shares.had(.microseconds(20), by: peer, bytes: nil, at: start) }
        #expect(shares.isExhausted(for: flood) && !shares.isExhausted(for: peer))
        shares.turnEnded(at: start)
        #expect(shares.rest(of: flood, at: start) == start + .microseconds(3_600))
        #expect(shares.rest(of: peer, at: start) == nil && shares.rest(of: bystander, at: start) == nil)
        // A message is not dear for its length.
        shares.had(.microseconds(100), by: peer, bytes: nil, at: start)
        shares.had(.microseconds(100), by: flood, bytes: 64 * 1024, at: start)
        for _ in 0..<3 { shares.had(.microseconds(20), by: flood, bytes: 64 * 1024, at: start) }
        #expect(shares.isExhausted(for: flood) && !shares.isExhausted(for: peer))
    }

    @Test func `what stands in the order of messages counts as they do; questions, acknowledgements and gossip do not`() {
        let key = ConversationKey(hub: NodeID(raw: .zero), conversation: ConversationID(raw: Bytes16(1, 2)))
        let failure = Failure(key: key, message: MessageID(raw: Bytes16(1, 2)), refusal: Refusal(.queueFull, "full"))
        #expect(FairOrder.carriesMessages(.linkFrame(LinkID(1), .entry(1, .failed(failure, device: DeviceID(raw: .zero))))))
        #expect(!FairOrder.carriesMessages(.linkFrame(LinkID(1), .acknowledge(through: 1))))
        #expect(!FairOrder.carriesMessages(.linkFrame(LinkID(1), .lookup(RequestID(1), .user(UserID(raw: .zero))))))
        #expect(!FairOrder.carriesMessages(.sessionFrame(SessionID(1), .ping(1))))
    }

    private let flood = FairOrder.Speaker.link(LinkID(1))
    private let bystander = FairOrder.Speaker.session(SessionID(1))
    private let peer = FairOrder.Speaker.link(LinkID(2))

    @Test func `who has had a share of a turn with what is dear waits for the next, and who says what is cheap does not`() {
        var shares = FairOrder.Shares()
        for _ in 0..<2 { shares.had(.milliseconds(1), by: flood, bytes: nil, at: .start) }
        shares.had(.milliseconds(1), by: bystander, bytes: nil, at: .start)
        for _ in 0..<1_000 { shares.had(.microseconds(40), by: peer, bytes: nil, at: .start) }
        shares.had(.milliseconds(5), by: .node, bytes: nil, at: .start)
        #expect(shares.isExhausted(for: flood))
        #expect(!shares.isExhausted(for: bystander) && !shares.isExhausted(for: peer) && !shares.isExhausted(for: .node))
    }

    @Test func `while others speak a flood rests three times as long as it spoke, and alone it does not`() {
        var shares = FairOrder.Shares()
        let start = Instant.start + .seconds(1)
        func flooded(at now: Instant) {
            shares.had(.milliseconds(2), by: flood, bytes: nil, at: now)
            shares.turnEnded(at: now)
        }
        flooded(at: start)
        #expect(shares.rest(of: flood, at: start) == nil)
        shares.had(.microseconds(40), by: bystander, bytes: nil, at: start)
        #expect(shares.rest(of: flood, at: start) == start + .milliseconds(6))
        #expect(shares.rest(of: bystander, at: start) == nil && shares.rest(of: .node, at: start) == nil)
        #expect(shares.rest(of: flood, at: start + .milliseconds(6)) == nil)
        // Its own cheap inputs are nobody else's.
        flooded(at: start + .milliseconds(19))
        shares.had(.microseconds(40), by: flood, bytes: nil, at: start + .milliseconds(19))
        #expect(shares.rest(of: flood, at: start + .milliseconds(19)) == start + .milliseconds(20))
        #expect(shares.rest(of: flood, at: start + .milliseconds(20)) == nil)
    }

    @Test func `who goes on again and again as soon as it has rested rests eight times as long, in smaller shares, until it pauses`() {
        var shares = FairOrder.Shares()
        var now = Instant.start + .seconds(1)
        func speak() -> Duration? {
            shares.had(.microseconds(40), by: bystander, bytes: nil, at: now)
            shares.had(.microseconds(1_200), by: flood, bytes: nil, at: now)
            shares.turnEnded(at: now)
            return shares.rest(of: flood, at: now).map { $0 - now }
        }
        for _ in 1..<FairOrder.Shares.insistentFrom {
            #expect(speak() == .microseconds(3_600))
            now = now + .milliseconds(4)
        }
        #expect(speak() == .microseconds(9_600))
        now = now + .milliseconds(10)
        shares.had(.microseconds(400), by: flood, bytes: nil, at: now)
        #expect(shares.isExhausted(for: flood))
        // Now and then, as a node whose users change groups.
        now = now + .milliseconds(100)
        shares.turnEnded(at: now)
        now = now + .milliseconds(100)
        #expect(speak() == .microseconds(3_600))
    }

    @Test func `a session and a link of one number are two, and opening and closing stand with what is said between`() {
        #expect(FairOrder.speaker(of: .sessionOpened(SessionID(1))) == FairOrder.speaker(of: .sessionFrame(SessionID(1), .ping(1))))
        #expect(FairOrder.speaker(of: .sessionClosed(SessionID(1))) != FairOrder.speaker(of: .linkClosed(LinkID(1))))
        #expect(FairOrder.speaker(of: .linkFrame(LinkID(2), .acknowledge(through: 1))) == FairOrder.speaker(of: .linkClosed(LinkID(2))))
    }
}
