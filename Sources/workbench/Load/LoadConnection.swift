internal import Cryptography
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Transport
internal import Vocabulary
internal import Wire

/// One session's connection as `Client` has it (TLS 1.3, WebSocket at /v1/session), without what only people need: thousands of
/// them must cost less than the node that is measured.
///
/// Unchecked: used on its event loop only, apart from `init`.
final class LoadConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Event {
        case opened(certificateHash: Bytes32)
        /// All that one read brought, so that it becomes one batch.
        case frames([NodeFrame])
        case closed(String)
    }

    private let onEvent: (LoadConnection, Event) -> Void
    private var context: ChannelHandlerContext?
    private var certificateHash: Bytes32?
    private var inbound = ByteBuffer()
    private var outbound: ByteBuffer?
    private var isUpgraded = false
    private var isClosed = false
    /// Without TLS.
    private(set) var bytesReceived = 0

    init(onEvent: @escaping (LoadConnection, Event) -> Void) { self.onEvent = onEvent }

    /// - Parameter source: the address of this machine to connect from.
    func open(to endpoint: Endpoint, from source: String, over tls: NIOSSLContext, on loop: any EventLoop) {
        let address: SocketAddress
        let local: SocketAddress
        do {
            address = try SocketAddress(ipAddress: endpoint.host, port: Int(endpoint.port))
            local = try SocketAddress(ipAddress: source, port: 0)
        } catch { return ended("\(error)") }
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(8))
            .bind(to: local)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1024, maximum: 64 * 1024))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        TLSHandlers.client(tls) { certificate in
                            guard let der = try? certificate.toDERBytes() else { return false }
                            self.certificateHash = Hash.sha256(der)
                            return true
                        })
                    try channel.pipeline.syncOperations.addHandler(self)
                }
            }
            .connect(to: address)
            .whenFailure { self.ended("\($0)") }
    }

    // MARK: Outbound

    var isWritable: Bool { !isClosed && context?.channel.isWritable == true }

    func write(_ frame: ClientFrame) { write(opcode: 0x2, frame.serialized()) }

    /// A message that need not be a frame.
    func write(message: [UInt8]) { write(opcode: 0x2, message) }

    /// Masked with zeros: allowed by the letter, and the node's work is the same.
    private func write(opcode: UInt8, _ payload: [UInt8]) {
        guard let context, !isClosed else { return }
        var buffer = outbound ?? context.channel.allocator.buffer(capacity: payload.count + 14)
        outbound = nil
        buffer.writeInteger(0x80 | opcode)
        if payload.count < 126 {
            buffer.writeInteger(0x80 | UInt8(payload.count))
        } else if payload.count <= Int(UInt16.max) {
            buffer.writeInteger(UInt8(0x80 | 126))
            buffer.writeInteger(UInt16(payload.count))
        } else {
            buffer.writeInteger(UInt8(0x80 | 127))
            buffer.writeInteger(UInt64(payload.count))
        }
        buffer.writeInteger(UInt32(0))
        buffer.writeBytes(payload)
        outbound = buffer
    }

    func flush() {
        guard let buffer = outbound, let context, !isClosed else { return }
        outbound = nil
        context.writeAndFlush(Self.wrapOutboundOut(buffer), promise: nil)
    }

    /// Closes without another event.
    func close() {
        guard !isClosed else { return }
        if isUpgraded {
            write(opcode: 0x8, [0x03, 0xe8])
            flush()
        }
        isClosed = true
        context?.close(promise: nil)
    }

    private func ended(_ reason: String) {
        guard !isClosed else { return }
        isClosed = true
        context?.close(promise: nil)
        onEvent(self, .closed(reason))
    }

    // MARK: Inbound

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        let request =
            "GET /v1/session HTTP/1.1\r\nhost: load\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
            + "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = Self.unwrapInboundIn(data)
        bytesReceived += buffer.readableBytes
        if inbound.readableBytes == 0 { inbound = buffer } else { inbound.writeBuffer(&buffer) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { parse() }

    func channelInactive(context: ChannelHandlerContext) {
        parse()
        ended("the connection was closed")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { ended("\(error)") }

    private func parse() {
        guard !isClosed else { return }
        if !isUpgraded {
            guard upgraded() else { return }
            guard let certificateHash else { return ended("the node showed no certificate") }
            onEvent(self, .opened(certificateHash: certificateHash))
        }
        var frames: [NodeFrame] = []
        var farewell: String?
        while farewell == nil, let (opcode, payload) = nextFrame() {
            switch opcode {
            case 0x2:
                do { frames.append(try NodeFrame(serialized: payload)) } catch { farewell = "a frame does not decode: \(error)" }
            case 0x8: farewell = "the node closed the session"
            case 0x9: write(opcode: 0xa, payload)
            default: break
            }
        }
        // A silent session keeps no buffer.
        if inbound.readableBytes == 0 { inbound = ByteBuffer() } else { inbound.discardReadBytes() }
        if !frames.isEmpty, !isClosed { onEvent(self, .frames(frames)) }
        if let farewell { ended(farewell) }
        flush()
    }

    private func upgraded() -> Bool {
        let bytes = Array(inbound.readableBytesView.prefix(4096))
        guard let end = bytes.indices.first(where: { $0 >= 3 && bytes[($0 - 3)...$0].elementsEqual([13, 10, 13, 10]) }) else {
            if bytes.count >= 4096 { ended("the node's answer to the upgrade has no end") }
            return false
        }
        guard bytes.starts(with: "HTTP/1.1 101".utf8) else {
            ended("the node refused the upgrade: \(Printable.line(String(decoding: bytes.prefix(32), as: UTF8.self)))")
            return false
        }
        inbound.moveReaderIndex(forwardBy: end + 1)
        isUpgraded = true
        return true
    }

    /// A node's frames are whole and have no mask.
    private func nextFrame() -> (opcode: UInt8, payload: [UInt8])? {
        let start = inbound.readerIndex
        guard let first: UInt8 = inbound.getInteger(at: start), let second: UInt8 = inbound.getInteger(at: start + 1) else { return nil }
        var header = 2
        var count = Int(second & 0x7f)
        if count == 126 {
            guard let long: UInt16 = inbound.getInteger(at: start + 2) else { return nil }
            (header, count) = (4, Int(long))
        } else if count == 127 {
            guard let long: UInt64 = inbound.getInteger(at: start + 2) else { return nil }
            (header, count) = (10, Int(clamping: long))
        }
        guard count <= Limits.frameBytesMax else {
            ended("a frame of \(count) bytes")
            return nil
        }
        guard let payload = inbound.getBytes(at: start + header, length: count) else { return nil }
        inbound.moveReaderIndex(forwardBy: header + count)
        return (first & 0x0f, payload)
    }
}
