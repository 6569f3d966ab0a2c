internal import NIOCore
package import Vocabulary

/// When a listener takes its next connection: while users write to each other one at a time, with a rest behind each. A connection costs a
/// node some 0.4 ms of its one event loop (TLS, the greeting, signatures), so a hundred that come at once would make everybody wait for 40;
/// the others wait in the system's backlog meanwhile, which costs nothing.
package struct AcceptTurns {
    package static let rest = Duration.milliseconds(2)
    /// Users count as writing for so long after one did.
    package static let writingMax = Duration.seconds(1)

    private var restsUntil: Instant?

    package init() {}

    package mutating func accepted(at now: Instant) { restsUntil = now + Self.rest }

    /// When the next connection may be taken; nil for at once.
    /// - Parameter wrote: when somebody wrote last.
    package func rest(at now: Instant, wrote: Instant?) -> Instant? {
        guard let restsUntil, restsUntil > now, let wrote, now - wrote < Self.writingMax else { return nil }
        return restsUntil
    }
}

/// Puts a listener's reads off by `AcceptTurns`. Takes one connection a read: `maxMessagesPerRead` is 1.
final class AcceptTurnsHandler: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = any Channel

    private let shared: NetworkShared
    private var turns = AcceptTurns()
    private var put: Scheduled<Void>?

    init(_ shared: NetworkShared) { self.shared = shared }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        turns.accepted(at: Clock.now)
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        guard put == nil else { return }
        let now = Clock.now
        guard let until = turns.rest(at: now, wrote: shared.lastWrite) else { return context.read() }
        put = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds((until - now).nanoseconds)) {
            self.put = nil
            context.read()
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        put?.cancel()
        put = nil
    }
}
