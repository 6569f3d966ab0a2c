internal import ArgumentParser
internal import Cryptography
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS
internal import Transport
internal import Vocabulary

/// A server that takes TLS connections and says nothing: what a silent session costs the TLS library alone. Run by `idle`, as a process of
/// its own so that nothing else is in the account.
struct LoadSilentServer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silent-server", abstract: "The TLS library's own floor for `idle`, which runs it.", shouldDisplay: false)

    func run() throws {
        var random = SystemRandom()
        let tls = try TLSContexts.clientListener(try ServedCertificate(selfSigned: SigningKey(using: &random)))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1024, maximum: 64 * 1024))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(TLSHandlers.clientListener(tls)) }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        print("ready \(server.localAddress?.port ?? 0)")
        fflush(nil)
        try server.closeFuture.wait()
    }
}

/// Sessions of TLS and nothing else.
struct SilentFloor {
    let sessions: Int

    /// - Returns: kilobytes a session, proportional.
    func run(threads: Int) throws -> Double {
        guard let own = realpath("/proc/self/exe", nil) else { throw LoadFailure("this program's place cannot be found") }
        defer { free(own) }
        let folder = try Files.temporaryFolder("floor")
        let server = try LoadProcess(
            [String(cString: own), "load", "silent-server"], output: "\(folder)/out", log: "\(folder)/log")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        defer {
            try? group.syncShutdownGracefully()
            server.signal(SIGKILL)
            server.stop()
            unlink("\(folder)/out")
            unlink("\(folder)/log")
            rmdir(folder)
        }
        let port = try port(of: server)
        let tls = try TLSContexts.client()
        // The first ones make what all share.
        var open = try (0..<16).map { try connect($0, port, tls, group) }
        usleep(200_000)
        let before = server.memory
        for start in stride(from: 0, to: sessions, by: 200) {
            let count = min(200, sessions - start)
            let futures = (0..<count).map { start + $0 }.map { index in Self.connecting(index, port, tls, group.next()) }
            for future in futures { open.append(try future.wait()) }
        }
        sleep(2)
        return Double(server.memory.proportional - before.proportional) / Double(sessions)
    }

    private func port(of server: LoadProcess) throws -> Int {
        let deadline = LoadClock.now + .seconds(10)
        while LoadClock.now < deadline {
            let words = server.output.split(whereSeparator: \.isWhitespace)
            if words.count == 2, let port = Int(words[1]) { return port }
            usleep(10_000)
        }
        throw LoadFailure("the silent server does not come up")
    }

    private func connect(_ index: Int, _ port: Int, _ tls: NIOSSLContext, _ group: MultiThreadedEventLoopGroup) throws -> any Channel {
        try Self.connecting(index, port, tls, group.next()).wait()
    }

    /// Ends when the handshake has.
    private static func connecting(_ index: Int, _ port: Int, _ tls: NIOSSLContext, _ loop: any EventLoop) -> EventLoopFuture<any Channel> {
        let done = loop.makePromise(of: Void.self)
        let connected = ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TLSHandlers.client(tls) { _ in true })
                    try channel.pipeline.syncOperations.addHandler(HandshakeWaiter(done))
                }
            }
        do {
            // As many addresses as `LoadUser` has.
            let local = try SocketAddress(ipAddress: "127.0.1.\(1 + index % 32)", port: 0)
            let channel = connected.bind(to: local).connect(host: "127.0.0.1", port: port)
            channel.whenFailure { done.fail($0) }
            return channel.flatMap { channel in done.futureResult.map { channel } }
        } catch {
            done.fail(error)
            return loop.makeFailedFuture(error)
        }
    }
}

private final class HandshakeWaiter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var done: EventLoopPromise<Void>?

    init(_ done: EventLoopPromise<Void>) { self.done = done }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            done?.succeed()
            done = nil
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        done?.fail(LoadFailure("the connection ended"))
        done = nil
        context.fireChannelInactive()
    }
}
