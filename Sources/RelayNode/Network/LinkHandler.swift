internal import NIOCore
internal import NIOSSL
internal import NIOTLS
internal import Transport
internal import Vocabulary
internal import Wire

/// One connection to another node, the last handler of its channel.
///
/// handshaking ──TLS proves the peer──▶ open ──bad frame, order, slow reader, end──▶ closed
final class LinkHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let state: LoopState
    /// Succeeds once the link is open; only for the side that dialled.
    private var dialled: EventLoopPromise<Void>?
    /// Held while this is an unfinished handshake of the listener.
    private var handshake: Admission?
    private let isDialled: Bool
    private var context: ChannelHandlerContext?
    private var deadline: Scheduled<Void>?
    private var id: LinkID?
    let gate: ReadGate
    private var isCounted = false
    private var inbound = LinkStream()
    private var outbound: ByteBuffer?

    init(_ state: LoopState, accepted handshake: Admission) {
        (self.state, gate, self.handshake, isDialled) = (state, ReadGate(state), handshake, false)
    }

    init(_ state: LoopState, dialled: EventLoopPromise<Void>) {
        (self.state, gate, self.dialled, isDialled) = (state, ReadGate(state), dialled, true)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let channel = context.channel
        deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: .init(state.shared.configuration.handshakeTimeout)) {
            channel.abort()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { handshakeCompleted(context) }
        context.fireUserInboundEventTriggered(event)
    }

    private func handshakeCompleted(_ context: ChannelHandlerContext) {
        guard id == nil, let deadline else { return }
        deadline.cancel()
        // Any key may do a handshake, so the time goes on until it has said something that is a frame.
        self.deadline = context.eventLoop.assumeIsolated().scheduleTask(in: .init(state.shared.configuration.handshakeTimeout)) {
            [weak self] in
            self?.close(after: Refusal(.badFrame, "No frame came in time after the handshake."))
        }
        handshake = nil
        guard let peer = PeerIdentity.node(of: context.channel) else { return context.channel.abort() }
        let id = state.opened(self)
        self.id = id
        gate.isOpen = true
        state.shared.delegate.linkOpened(id, peer: peer, dialled: isDialled)
        dialled?.succeed()
        dialled = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        ended()
        gate.removed()
        self.context = nil
    }

    private func ended() {
        deadline?.cancel()
        deadline = nil
        handshake = nil
        dialled?.fail(DialFailure(reason: "the connection ended during the TLS handshake"))
        dialled = nil
        guard let id else {
            if !isDialled, !isCounted { state.shared.counters.handshakesFailed.add() }
            isCounted = true
            return
        }
        isCounted = true
        self.id = nil
        gate.close()
        (inbound, outbound) = (LinkStream(), nil)
        state.closed(id)
        state.shared.delegate.linkClosed(id)
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard id != nil else { return }
        gate.readBegins()
        inbound.add(Self.unwrapInboundIn(data))
        decode()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        gate.readEnded()
        context.fireChannelReadComplete()
    }

    /// As many frames as may wait for the writer; the others stay bytes until it has dealt with some.
    private func decode() {
        while id != nil, !gate.isFull {
            do throws(LinkFrameTooLarge) {
                guard let frame = try inbound.next() else { return gate.leaves(undecoded: 0) }
                received(frame)
            } catch {
                state.shared.counters.violations.add()
                close(after: Refusal(.tooLarge, "A frame may have \(Limits.frameBytesMax) bytes."))
            }
        }
        gate.leaves(undecoded: inbound.bytes)
    }

    private func received(_ bytes: [UInt8]) {
        guard let id else { return }
        let frame: LinkFrame
        do {
            frame = try LinkFrame(serialized: bytes)
        } catch .unknownFrame {
            if gate.passesOver() { return }
            state.shared.counters.violations.add()
            return close(after: Refusal(.badFrame, "These are too many frames of an unknown kind."))
        } catch {
            state.shared.counters.violations.add()
            return close(after: error.refusal)
        }
        deadline?.cancel()
        deadline = nil
        let cost = gate.take(frameBytes: bytes.count)
        state.shared.counters.framesReceived.add()
        state.shared.counters.bytesReceived.add(bytes.count)
        state.shared.delegate.link(id, received: frame, bytes: cost)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A refused key among them: the dialler hears why.
        dialled?.fail(DialFailure(reason: DialFailure.sentence(for: error)))
        dialled = nil
        abort()
    }

    // MARK: Back-pressure

    func read(context: ChannelHandlerContext) { gate.read(context) }

    /// The writer has dealt with so many.
    func processed(frames: Int, bytes: Int) {
        gate.giveBack(frames: frames, bytes: bytes)
        if inbound.bytes > 0 { decode() }
        gate.readAgain()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable, id != nil {
            state.shared.counters.slowReaders.add()
            abort()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Outbound

    /// - Returns: whether this is the first since the last `flushAppended`, which is due.
    func append(_ frame: LinkFrame) -> Bool {
        guard id != nil else { return false }
        let isFirst = outbound == nil
        state.shared.counters.framesSent.add()
        write(frame)
        return isFirst && outbound != nil
    }

    func flushAppended() {
        guard let buffer = outbound, let context else { return }
        outbound = nil
        state.shared.counters.bytesSent.add(buffer.readableBytes)
        context.writeAndFlush(Self.wrapOutboundOut(buffer), promise: nil)
    }

    private func write(_ frame: LinkFrame) {
        guard let context else { return }
        let bytes = frame.serialized()
        var buffer = outbound ?? context.channel.allocator.buffer(capacity: bytes.count + 4)
        outbound = nil
        buffer.writeInteger(UInt32(clamping: bytes.count))
        buffer.writeBytes(bytes)
        outbound = buffer
    }

    func close(after goodbye: Refusal?) {
        guard id != nil, let context else { return }
        if let goodbye { write(.goodbye(goodbye)) }
        flushAppended()
        ended()
        context.close(promise: nil)
        gate.readAgain()
    }

    private func abort() {
        ended()
        context?.channel.abort()
    }
}
