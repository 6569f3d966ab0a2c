package import Vocabulary

/// Orders of one turn of the writer, by event loop: `Network.perform` wakes each loop once and flushes each connection once.
/// Orders for one connection are performed in the order they were added; those for closed connections do nothing.
package struct NetworkBatch: Sendable {
    enum Order: Sendable {
        case send(NodeFrame, SessionID)
        case close(SessionID, Refusal?)
        case sendLink(LinkFrame, LinkID)
        case closeLink(LinkID, Refusal?)
        case processed(SessionID, frames: Int, bytes: Int)
        case processedLink(LinkID, frames: Int, bytes: Int)
    }

    private(set) var orders: [[Order]] = []
    /// Of all `processed` together.
    private(set) var processedBytes = 0

    package init() {}
    package var isEmpty: Bool { orders.isEmpty }

    package mutating func send(_ frame: NodeFrame, to session: SessionID) {
        add(.send(frame, session), loop: EventLoopIndex.of(session))
    }

    package mutating func send(_ frames: [NodeFrame], to session: SessionID) {
        for frame in frames { send(frame, to: session) }
    }

    /// Closes after a `goodbye` with this refusal, or without one.
    package mutating func close(_ session: SessionID, after goodbye: Refusal? = nil) {
        add(.close(session, goodbye), loop: EventLoopIndex.of(session))
    }

    package mutating func send(_ frame: LinkFrame, to link: LinkID) {
        add(.sendLink(frame, link), loop: EventLoopIndex.of(link))
    }

    package mutating func send(_ frames: [LinkFrame], to link: LinkID) {
        for frame in frames { send(frame, to: link) }
    }

    package mutating func close(_ link: LinkID, after goodbye: Refusal? = nil) {
        add(.closeLink(link, goodbye), loop: EventLoopIndex.of(link))
    }

    /// One received frame is dealt with; `bytes` as the delegate was told.
    package mutating func processed(_ session: SessionID, bytes: Int) {
        processedBytes += bytes
        let loop = EventLoopIndex.of(session)
        if loop < orders.count, case .processed(session, let frames, let sum)? = orders[loop].last {
            orders[loop][orders[loop].count - 1] = .processed(session, frames: frames + 1, bytes: sum + bytes)
        } else {
            add(.processed(session, frames: 1, bytes: bytes), loop: loop)
        }
    }

    package mutating func processed(_ link: LinkID, bytes: Int) {
        processedBytes += bytes
        let loop = EventLoopIndex.of(link)
        if loop < orders.count, case .processedLink(link, let frames, let sum)? = orders[loop].last {
            orders[loop][orders[loop].count - 1] = .processedLink(link, frames: frames + 1, bytes: sum + bytes)
        } else {
            add(.processedLink(link, frames: 1, bytes: bytes), loop: loop)
        }
    }

    private mutating func add(_ order: Order, loop: Int) {
        while orders.count <= loop { orders.append([]) }
        orders[loop].append(order)
    }
}

/// A connection's id carries its event loop in the low byte, so that finding it needs no shared table.
enum EventLoopIndex {
    static func of(_ session: SessionID) -> Int { Int(session.value & 0xff) }
    static func of(_ link: LinkID) -> Int { Int(link.value & 0xff) }
    static func id(_ count: UInt64, loop: Int) -> UInt64 { count << 8 | UInt64(loop) }
}
