internal import ArgumentParser
internal import Cryptography
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
internal import Storage
internal import Transport
internal import Vocabulary

struct LoadFloors: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "floors",
        abstract: "What the parts allow: an echo over TLS and WebSocket frames, commits of rows in SQLite, a signature checked.",
        discussion: "The same libraries and sizes as a node's; everything in this process, CPU by thread.")

    @Option(help: "Connections of the echo.") var connections = 200
    @Option(help: "Frames that each connection has under way.") var window = 8
    @Option(help: "Frames in all.") var frames = 200_000
    @Option(help: "Bytes of a frame and of a row.") var bytes = 600
    @Flag(help: "One JSON object a line, on a terminal too.") var json = false

    func validate() throws {
        guard (1...9_000).contains(connections), (1...1_000).contains(window), (1...100_000_000).contains(frames) else {
            throw ValidationError("--connections, --window or --frames is out of range.")
        }
        guard (1...60_000).contains(bytes) else { throw ValidationError("--bytes is from 1 to 60000.") }
    }

    func run() throws {
        var report = LoadReport("floors")
        let echo = try EchoFloor(connections: connections, window: window, frames: frames, bytes: bytes).run()
        report.add("echo_per_s", Double(frames) / echo.seconds)
        report.add("echo_server_cpu_us", Double(echo.serverCPU) / Double(frames))
        for batch in [1, 64, 512] {
            let rows = try Self.rows(batch: batch, bytes: bytes)
            report.add("rows_per_s_by_\(batch)", rows.perSecond)
            report.add("row_cpu_us_by_\(batch)", rows.cpu)
        }
        report.add("signature_check_cpu_us", Self.signatureCheck())
        report.say(asJSON: json)
    }

    /// One row in, later out again, as a queue has it: appended beside a small index, deleted by range.
    private static func rows(batch: Int, bytes: Int) throws -> (perSecond: Double, cpu: Double) {
        let folder = try Files.temporaryFolder("floor")
        defer {
            for name in ["floor.db", "floor.db-wal"] { unlink("\(folder)/\(name)") }
            rmdir(folder)
        }
        let schema =
            "CREATE TABLE row(id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, body BLOB NOT NULL) STRICT; CREATE INDEX q ON row(queue, id)"
        let database = try Database(
            path: "\(folder)/floor.db", options: .init(applicationID: 7, migrations: [schema], cacheBytes: 64 << 20))
        defer { database.close() }
        let body = [UInt8](repeating: 7, count: bytes)
        let total = batch == 1 ? 2_000 : 40_000
        var (id, done) = (Int64(0), Int64(0))
        let (start, cpu) = (LoadClock.now, ThreadCPU.now)
        while id < total {
            try database.transaction { () throws(StoreError) in
                for _ in 0..<batch {
                    id += 1
                    try database.run("INSERT INTO row VALUES(?,?,?)", .integer(id), .integer(id % 200), .blob(body))
                }
                for queue in Int64(0)..<200 where batch > 1 || queue == id % 200 {
                    try database.run("DELETE FROM row WHERE queue=? AND id<=?", .integer(queue), .integer(done))
                }
                done = id
            }
            if database.walBytes > 8 << 20 { try database.checkpoint(truncate: false) }
        }
        let seconds = Double((LoadClock.now - start).nanoseconds) / 1e9
        return (Double(id) / seconds, Double(ThreadCPU.now - cpu) / Double(id))
    }

    private static func signatureCheck() -> Double {
        var random = SeededGenerator(seed: 1)
        let key = SigningKey(using: &random)
        let body = random.bytes(122)
        let signature = key.sign(body, for: .watermark)
        let cpu = ThreadCPU.now
        var held = 0
        for _ in 0..<2_000 where signature.isValid(over: body, for: .watermark, by: DeviceID(raw: key.publicKey)) { held += 1 }
        return Double(ThreadCPU.now - cpu) / Double(max(held, 1))
    }
}

/// Microseconds that the calling thread has used.
enum ThreadCPU {
    static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int(time.tv_sec) * 1_000_000 + Int(time.tv_nsec) / 1_000
    }
}

/// Frames there and back over TLS 1.3, the server on one event loop of its own.
private struct EchoFloor {
    let connections, window, frames, bytes: Int

    func run() throws -> (seconds: Double, serverCPU: Int) {
        var random = SystemRandom()
        let certificate = try ServedCertificate(selfSigned: SigningKey(using: &random))
        let (serverTLS, clientTLS) = (try TLSContexts.clientListener(certificate), try TLSContexts.client())
        let serverGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let clientGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer {
            try? clientGroup.syncShutdownGracefully()
            try? serverGroup.syncShutdownGracefully()
        }
        let server = try ServerBootstrap(group: serverGroup)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(TLSHandlers.clientListener(serverTLS))
                    try pipeline.addHandler(ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 16)))
                    try pipeline.addHandler(EchoServer())
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        guard let address = server.localAddress else { throw LoadFailure("the echo does not listen") }
        let loop = clientGroup.next()
        let share = frames / connections
        let ended = (0..<connections).map { _ in loop.makePromise(of: Void.self) }
        let loopCPU = { try serverGroup.next().submit { ThreadCPU.now }.wait() }
        let clients = try ended.map { promise in
            try ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(TLSHandlers.client(clientTLS) { _ in true })
                        try pipeline.addHandler(EchoClient(bytes: bytes, window: window, share: share, ended: promise))
                    }
                }
                .connect(to: address).wait()
        }
        let (start, cpu) = (LoadClock.now, try loopCPU())
        for client in clients { client.triggerUserOutboundEvent(EchoClient.Begin(), promise: nil) }
        try EventLoopFuture.andAllSucceed(ended.map(\.futureResult), on: loop).wait()
        return (Double((LoadClock.now - start).nanoseconds) / 1e9, try loopCPU() - cpu)
    }
}

private final class EchoServer: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = ByteBuffer
    private var outbound = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = Self.unwrapInboundIn(data)
        let payload = frame.unmaskedData
        outbound.writeInteger(UInt8(0x82))
        outbound.writeInteger(UInt8(126))
        outbound.writeInteger(UInt16(clamping: payload.readableBytes))
        outbound.writeImmutableBuffer(payload)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard outbound.readableBytes > 0 else { return }
        context.writeAndFlush(Self.wrapOutboundOut(outbound), promise: nil)
        outbound = ByteBuffer()
    }
}

private final class EchoClient: ChannelDuplexHandler {
    struct Begin: Sendable {}
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let frame: ByteBuffer
    private let window: Int
    private let ended: EventLoopPromise<Void>
    private var left, owed: Int
    /// Bytes of the answer under way.
    private var partial = 0

    init(bytes: Int, window: Int, share: Int, ended: EventLoopPromise<Void>) {
        var frame = ByteBuffer()
        frame.writeInteger(UInt8(0x82))
        frame.writeInteger(UInt8(0x80 | 126))
        frame.writeInteger(UInt16(clamping: bytes))
        frame.writeInteger(UInt32(0))
        frame.writeRepeatingByte(7, count: bytes)
        (self.frame, self.window, self.ended) = (frame, window, ended)
        (left, owed) = (share, share)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        if owed == 0 { ended.succeed() }
        send(context, min(window, left))
        promise?.succeed()
    }

    private func send(_ context: ChannelHandlerContext, _ count: Int) {
        guard count > 0 else { return }
        left -= count
        for _ in 0..<count { context.write(Self.wrapOutboundOut(frame), promise: nil) }
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // An answer is as long as the frame without its mask.
        let size = frame.readableBytes - 4
        partial += Self.unwrapInboundIn(data).readableBytes
        let count = min(partial / size, owed)
        partial -= count * size
        owed -= count
        send(context, min(count, left))
        if owed == 0, count > 0 { ended.succeed() }
    }
}
