import NIOCore
import NIOPosix
import NIOSSL
import RelayNode
import Transport
import Vocabulary
import Wire

/// A client that says exactly the bytes it is told to, and keeps all that it hears.
final class TestClient: Sendable {
    struct Heard: Sendable {
        var bytes: [UInt8] = []
        var isClosed = false
    }

    struct Frame: Equatable, Sendable {
        let opcode: UInt8
        let payload: [UInt8]
        /// Of a close frame.
        var closeCode: Int? { opcode == 8 && payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil }
        var frame: NodeFrame? { opcode == 2 ? try? NodeFrame(serialized: payload) : nil }
    }

    let heard = Watched(Heard())
    private let channel: any Channel

    enum TLS {
        case none, standard, version12
        case peer(NIOSSLContext, NodeID)
    }

    init(_ endpoint: Endpoint, tls: TLS = .standard) async throws {
        let heard = heard
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    switch tls {
                    case .none: break
                    case .standard: try pipeline.addHandler(TLSHandlers.client(try TLSContexts.client()) { _ in true })
                    case .version12:
                        var configuration = TLSConfiguration.makeClientConfiguration()
                        configuration.maximumTLSVersion = .tlsv12
                        configuration.certificateVerification = .none
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: try NIOSSLContext(configuration: configuration), serverHostname: nil))
                    case .peer(let context, let node): try pipeline.addHandler(TLSHandlers.peerDialer(context, expecting: node))
                    }
                    try pipeline.addHandler(Listener(heard))
                }
            }
            .connect(host: endpoint.host, port: Int(endpoint.port)).get()
    }

    func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
    func send(_ text: String) { send(Array(text.utf8)) }
    func close() async { try? await channel.close() }
    /// From now on nothing is read from the socket.
    func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }
    func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }

    static let upgradeRequest =
        "GET /v1/session HTTP/1.1\r\nHost: harbor\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"

    /// Becomes a session.
    func upgrade() async { await upgraded(sending: Self.upgradeRequest) }

    private func upgraded(sending request: String) async {
        send(request)
        await heard.until { Self.headEnd($0.bytes) != nil || $0.isClosed }
    }

    /// The status of the HTTP answer.
    var status: Int? {
        let text = String(decoding: heard.value.bytes.prefix(16), as: UTF8.self)
        return text.hasPrefix("HTTP/1.1 ") ? Int(text.dropFirst(9).prefix(3)) : nil
    }

    // MARK: Frames

    static func frame(opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, isMasked: Bool = true, reserved: UInt8 = 0) -> [UInt8] {
        let mask: [UInt8] = [7, 11, 13, 17]
        var bytes = [(isFinal ? 0x80 : 0) | reserved | opcode]
        let maskBit: UInt8 = isMasked ? 0x80 : 0
        if payload.count < 126 {
            bytes.append(maskBit | UInt8(payload.count))
        } else if payload.count < 65_536 {
            bytes += [maskBit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        } else {
            bytes.append(maskBit | 127)
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
        }
        guard isMasked else { return bytes + payload }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }

    func send(_ frame: ClientFrame) { send(Self.frame(opcode: 2, frame.serialized())) }

    /// All whole frames after the HTTP answer.
    static func frames(_ bytes: [UInt8]) -> [Frame] {
        guard var index = headEnd(bytes) else { return [] }
        var frames: [Frame] = []
        while index + 2 <= bytes.count {
            let opcode = bytes[index] & 15
            var length = Int(bytes[index + 1] & 127)
            var start = index + 2
            if length == 126, start + 2 <= bytes.count {
                length = Int(bytes[start]) << 8 | Int(bytes[start + 1])
                start += 2
            } else if length == 127, start + 8 <= bytes.count {
                length = bytes[start..<start + 8].reduce(0) { $0 << 8 | Int($1) }
                start += 8
            }
            guard start + length <= bytes.count else { break }
            frames.append(Frame(opcode: opcode, payload: Array(bytes[start..<start + length])))
            index = start + length
        }
        return frames
    }

    @discardableResult
    func framesUntil(_ isMet: @escaping @Sendable ([Frame]) -> Bool) async -> [Frame] {
        Self.frames(await heard.until { isMet(Self.frames($0.bytes)) || $0.isClosed }.bytes)
    }

    func closeCode() async -> Int? {
        await framesUntil { $0.contains { $0.opcode == 8 } }.lazy.compactMap(\.closeCode).first
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        let end: [UInt8] = [13, 10, 13, 10]
        guard bytes.count >= 4 else { return nil }
        return (0...(min(bytes.count, 4096) - 4)).first { bytes[$0..<$0 + 4].elementsEqual(end) }.map { $0 + 4 }
    }

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let heard: Watched<Heard>
        init(_ heard: Watched<Heard>) { self.heard = heard }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(Self.unwrapInboundIn(data).readableBytesView)
            heard.change { $0.bytes += bytes }
        }

        func channelInactive(context: ChannelHandlerContext) { heard.change { $0.isClosed = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
