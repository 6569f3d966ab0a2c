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
    @Option(help: "Frames, and commits to disk, a second where they come one by one.") var rate = 1_200
    @Option(help: "Bytes of a frame and of a row.") var bytes = 600
    @Flag(help: "One JSON object a line, on a terminal too.") var json = false

    func validate() throws {
        guard (1...9_000).contains(connections), (1...1_000).contains(window), (1...100_000_000).contains(frames) else {
            throw ValidationError("--connections, --window or --frames is out of range.")
        }
        guard (1...100_000).contains(rate) else { throw ValidationError("--rate is from 1 to 100000.") }
        guard (1...60_000).contains(bytes) else { throw ValidationError("--bytes is from 1 to 60000.") }
    }

    func run() throws {
        var report = LoadReport("floors")
        let echo = try EchoFloor(connections: connections, pace: .window(window), frames: frames, bytes: bytes).run()
        report.add("echo_per_s", Double(frames) / echo.seconds)
        report.add("echo_server_cpu_us", Double(echo.serverCPU) / Double(frames))
        let few = max(5 * rate, connections) / connections * connections
        let paced = try EchoFloor(connections: connections, pace: .rate(rate), frames: few, bytes: bytes).run()
        report.add("rate", rate)
        report.add("echo_at_rate_server_cpu_us", Double(paced.serverCPU) / Double(few))
        report.add("sync_at_rate_cpu_us", try Self.syncs(few, rate: rate, bytes: bytes))
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

    /// A file with its room reserved, as a node's journal, that is written on and brought to disk so many times a second: CPU a time.
    private static func syncs(_ count: Int, rate: Int, bytes: Int) throws -> Double {
        let folder = try Files.temporaryFolder("floor")
        let path = "\(folder)/floor.journal"
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0, posix_fallocate(file, 0, count * bytes) == 0 else { throw LoadFailure("\(path) cannot be made") }
        defer {
            close(file)
            unlink(path)
            rmdir(folder)
        }
        let body = [UInt8](repeating: 7, count: bytes)
        let (start, cpu) = (LoadClock.now, ThreadCPU.now)
        for index in 0..<count {
            let wait = Double(index) / Double(rate) - Double((LoadClock.now - start).nanoseconds) / 1e9
            if wait > 0 { usleep(UInt32(wait * 1e6)) }
            guard pwrite(file, body, bytes, index * bytes) == bytes, fdatasync(file) == 0 else {
                throw LoadFailure("\(path) cannot be written: \(String(cString: strerror(errno)))")
            }
        }
        return Double(ThreadCPU.now - cpu) / Double(count)
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
    enum Pace {
        /// Each connection keeps so many under way.
        case window(Int)
        /// So many a second over all connections, one by one.
        case rate(Int)
    }

    let connections: Int
    let pace: Pace
    let frames, bytes: Int

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
        let window = if case .window(let window) = pace { window } else { 0 }
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
        switch pace {
        case .window: for client in clients { client.triggerUserOutboundEvent(EchoClient.Send(count: window), promise: nil) }
        case .rate(let rate):
            var sent = 0
            loop.scheduleRepeatedTask(initialDelay: .zero, delay: .nanoseconds(Int64(1_000_000_000 / rate))) { task in
                guard sent < share * clients.count else { return task.cancel() }
                clients[sent % clients.count].triggerUserOutboundEvent(EchoClient.Send(count: 1), promise: nil)
                sent += 1
            }
        }
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
    struct Send: Sendable { let count: Int }
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let frame: ByteBuffer
    /// What is under way is kept at so many; 0: each is asked for.
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
        if let order = event as? Send { send(context, min(order.count, left)) }
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
        if window > 0 { send(context, min(count, left)) }
        if owed == 0, count > 0 { ended.succeed() }
    }
}
