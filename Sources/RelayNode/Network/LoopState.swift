internal import NIOCore
internal import Vocabulary

/// What one event loop knows: its connections by id.
///
/// Unchecked: every access is on `loop` (the channel handlers live there, `Network` enters by `execute`).
final class LoopState: @unchecked Sendable {
    let loop: any EventLoop
    let shared: NetworkShared
    private let index: Int
    private var count: UInt64 = 0
    private var sessions: [SessionID: SessionHandler] = [:]
    private var links: [LinkID: LinkHandler] = [:]
    /// Every channel of this loop that has to be closed at a stop, those without an id yet included.
    private var channels: [ObjectIdentifier: any Channel] = [:]
    /// Do not read because all connections together wait for the writer.
    private var starved: [ReadGate] = []

    init(loop: any EventLoop, index: Int, shared: NetworkShared) { (self.loop, self.index, self.shared) = (loop, index, shared) }

    // MARK: Connections come and go

    func opened(_ session: SessionHandler) -> SessionID {
        let id = SessionID(nextID())
        sessions[id] = session
        return id
    }

    func opened(_ link: LinkHandler) -> LinkID {
        let id = LinkID(nextID())
        links[id] = link
        return id
    }

    func closed(_ id: SessionID) { sessions[id] = nil }
    func closed(_ id: LinkID) { links[id] = nil }

    func track(_ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        channels[key] = channel
        channel.closeFuture.whenComplete { _ in self.channels[key] = nil }
    }

    func starves(_ gate: ReadGate) { starved.append(gate) }

    private func nextID() -> UInt64 {
        count += 1
        return EventLoopIndex.id(count, loop: index)
    }

    // MARK: Orders

    /// Writes all, then flushes each connection once.
    func perform(_ orders: [NetworkBatch.Order]) {
        loop.assertInEventLoop()
        var writtenSessions: [SessionHandler] = []
        var writtenLinks: [LinkHandler] = []
        for order in orders {
            switch order {
            case .send(let frame, let id):
                if let session = sessions[id], session.append(frame) { writtenSessions.append(session) }
            case .close(let id, let goodbye): sessions[id]?.close(after: goodbye)
            case .processed(let id, let frames, let bytes): sessions[id]?.processed(frames: frames, bytes: bytes)
            case .sendLink(let frame, let id):
                if let link = links[id], link.append(frame) { writtenLinks.append(link) }
            case .closeLink(let id, let goodbye): links[id]?.close(after: goodbye)
            case .processedLink(let id, let frames, let bytes): links[id]?.processed(frames: frames, bytes: bytes)
            }
        }
        for session in writtenSessions { session.flushAppended() }
        for link in writtenLinks { link.flushAppended() }
    }

    func readAgain() {
        let waiting = starved
        starved = []
        for gate in waiting { gate.inflowDrained() }
    }

    /// - Returns: what ends when all connections of this loop are closed.
    func closeAll(after goodbye: Refusal) -> [EventLoopFuture<Void>] {
        let closing = channels.values.map(\.closeFuture)
        for id in sessions.keys.sorted() { sessions[id]?.close(after: goodbye) }
        for id in links.keys.sorted() { links[id]?.close(after: goodbye) }
        for channel in Array(channels.values) { channel.close(promise: nil) }
        return closing
    }
}
