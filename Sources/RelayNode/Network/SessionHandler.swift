internal import NIOCore
internal import NIOSSL
internal import NIOWebSocket
internal import Vocabulary
internal import Wire

/// One client session after the WebSocket upgrade, the last handler of its channel: frames to the delegate, orders to the socket.
///
/// open ──close frame, bad frame, order, slow reader──▶ closed
///
/// The delegate hears `sessionClosed` at that step, not when the socket is gone.
final class SessionHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let state: LoopState
    private let admission: Admission
    private var context: ChannelHandlerContext?
    /// nil: not open yet, or closed.
    private var id: SessionID?
    let gate: ReadGate
    private var message = FragmentedMessage()
    /// Written but not handed to the channel yet.
    private var outbound: ByteBuffer?

    init(_ state: LoopState, _ admission: Admission) { (self.state, gate, self.admission) = (state, ReadGate(state), admission) }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let id = state.opened(self)
        self.id = id
        gate.isOpen = true
        state.shared.delegate.sessionOpened(id, from: admission.address)
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
        guard let id else { return }
        self.id = nil
        gate.close()
        outbound = nil
        message = FragmentedMessage()
        state.closed(id)
        state.shared.delegate.sessionClosed(id)
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard id != nil else { return }
        gate.readBegins()
        let frame = Self.unwrapInboundIn(data)
        guard let mask = frame.maskKey, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return fail(CloseCode.protocolError) }
        switch frame.opcode {
        case .binary, .continuation, .text:
            switch message.add(frame.opcode, WebSocketBytes.unmasked(frame.data, mask), isFinal: frame.fin) {
            case .incomplete: break
            case .complete(let bytes): received(bytes)
            case .violation(let code): fail(code)
            }
        case .ping: write(.pong, WebSocketBytes.unmasked(frame.data, mask))
        case .pong: break
        case .connectionClose: closedByClient(WebSocketBytes.unmasked(frame.data, mask))
        default: fail(CloseCode.protocolError)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flushAppended()
        gate.readEnded()
        context.fireChannelReadComplete()
    }

    private func received(_ bytes: [UInt8]) {
        guard let id else { return }
        let frame: ClientFrame
        do {
            frame = try ClientFrame(serialized: bytes)
        } catch .unknownFrame {
            if gate.passesOver() { return }
            state.shared.counters.violations.add()
            return close(after: Refusal(.badFrame, "These are too many frames of an unknown kind."))
        } catch {
            state.shared.counters.violations.add()
            return close(after: error.refusal)
        }
        let cost = gate.take(frameBytes: bytes.count)
        state.shared.counters.framesReceived.add()
        state.shared.counters.bytesReceived.add(bytes.count)
        state.shared.delegate.session(id, received: frame, bytes: cost)
    }

    /// Answers a close frame with its own code, or with `protocolError` where it is none (RFC 6455 §5.5.1).
    private func closedByClient(_ payload: [UInt8]) {
        guard payload.count >= 2 else { return close(payload.isEmpty ? CloseCode.normal : CloseCode.protocolError, goodbye: nil) }
        let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        close(CloseCode.maySend(code) ? code : CloseCode.protocolError, goodbye: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error as? NIOWebSocketError {
        case .invalidFrameLength?: fail(CloseCode.tooLarge)
        case .some: fail(CloseCode.protocolError)
        case nil: abort()
        }
    }

    /// The client broke RFC 6455.
    private func fail(_ code: UInt16) {
        state.shared.counters.violations.add()
        let goodbye =
            code == CloseCode.tooLarge
            ? Refusal(.tooLarge, "A message may have \(Limits.frameBytesMax) bytes in \(Limits.fragmentsPerMessageMax) parts.")
            : Refusal(.badFrame, "That is no binary message in masked frames (RFC 6455).")
        close(code, goodbye: goodbye)
    }

    // MARK: Back-pressure

    func read(context: ChannelHandlerContext) { gate.read(context) }

    /// The writer has dealt with so many.
    func processed(frames: Int, bytes: Int) {
        gate.giveBack(frames: frames, bytes: bytes)
        gate.readAgain()
    }

    /// More waits for the socket than its high-water mark: the client does not read.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable, id != nil {
            state.shared.counters.slowReaders.add()
            abort()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Outbound

    /// - Returns: whether this is the first since the last `flushAppended`, which is due.
    func append(_ frame: NodeFrame) -> Bool {
        guard id != nil else { return false }
        let isFirst = outbound == nil
        state.shared.counters.framesSent.add()
        if case .ready = frame { admission.authenticated() }
        write(.binary, frame.serialized())
        return isFirst && outbound != nil
    }

    func flushAppended() {
        guard let buffer = outbound, let context else { return }
        outbound = nil
        state.shared.counters.bytesSent.add(buffer.readableBytes)
        context.writeAndFlush(Self.wrapOutboundOut(buffer), promise: nil)
    }

    private func write(_ opcode: WebSocketOpcode, _ payload: [UInt8]) {
        guard let context else { return }
        let count = payload.count + WebSocketBytes.headerBytes(payloadBytes: payload.count)
        var buffer = outbound ?? context.channel.allocator.buffer(capacity: count)
        outbound = nil
        WebSocketBytes.write(opcode, payload, to: &buffer)
        outbound = buffer
    }

    func close(after goodbye: Refusal?) { close(CloseCode.of(goodbye), goodbye: goodbye) }

    private func close(_ code: UInt16, goodbye: Refusal?) {
        guard id != nil, let context else { return }
        if let goodbye { write(.binary, NodeFrame.goodbye(goodbye).serialized()) }
        write(.connectionClose, [UInt8(code >> 8), UInt8(code & 0xff)])
        flushAppended()
        ended()
        // Bounded: TLS waits five seconds for the other side's farewell.
        context.close(promise: nil)
        gate.readAgain()
    }

    private func abort() {
        ended()
        context?.channel.abort()
    }
}
