internal import Cryptography
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Transport
internal import Vocabulary

/// Nobody that the node knows, from many addresses: connections that say nothing, handshakes one after the other, sessions that greet and
/// wait, and messages that are no frames.
///
/// Unchecked: used on its loop only, apart from `init`.
final class FloodingStrangers: Flood, @unchecked Sendable {
    let tally = FloodTally()
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let tls: NIOSSLContext
    private let clients: Endpoint
    private let end = FloodSwitch()
    private var number = 0

    /// At once: of each kind.
    private static let silent = 400
    private static let busy = 24

    init(at federation: LoadFederation) throws {
        group = try FloodLoop.make()
        loop = group.next()
        tls = try TLSContexts.client()
        clients = try federation.invitation(at: 0, uses: 1).endpoint
    }

    func begin() throws {
        try loop.submit {
            for _ in 0..<Self.silent { self.connectSilently() }
            for turn in 0..<Self.busy { self.greet(saying: turn) }
        }.wait()
    }

    private func source() -> String {
        number += 1
        return "127.0.2.\(1 + number % 200)"
    }

    /// A TCP connection, and nothing more; again when the node has had enough of it.
    private func connectSilently() {
        guard !end.isOff, let address = try? SocketAddress(ipAddress: clients.host, port: Int(clients.port)),
            let local = try? SocketAddress(ipAddress: source(), port: 0)
        else { return }
        tally.connected()
        ClientBootstrap(group: loop).bind(to: local).connect(to: address).whenComplete { result in
            switch result {
            case .failure: self.later { self.connectSilently() }
            case .success(let channel):
                channel.closeFuture.whenComplete { _ in
                    self.tally.ended()
                    self.later { self.connectSilently() }
                }
            }
        }
    }

    /// A handshake, an upgrade and a greeting; then, by turns, what is no frame, a proof that does not hold, or nothing.
    private func greet(saying turn: Int) {
        guard !end.isOff else { return }
        tally.connected()
        var isWelcomed = false
        let connection = LoadConnection { connection, event in
            switch event {
            case .opened:
                self.tally.sent(1)
                if turn % 3 == 0 {
                    connection.write(message: [0xff, 0xff, 0xff, 0xff])
                } else {
                    connection.write(.hello(versions: .current, nonce: .zero))
                }
                connection.flush()
            case .frames(let frames):
                for case .goodbye(let refusal) in frames { self.tally.refused(refusal) }
                guard turn % 3 == 1, !isWelcomed else { return }
                isWelcomed = true
                for _ in 0...Limits.framesBeforeAuthenticationMax { connection.write(self.falseProof()) }
                connection.flush()
            case .closed:
                self.tally.ended()
                self.later { self.greet(saying: turn) }
            }
        }
        connection.open(to: clients, from: source(), over: tls, on: loop)
    }

    private func falseProof() -> ClientFrame {
        tally.sent(1)
        var random = SeededGenerator(seed: UInt64(number))
        let key = SigningKey(using: &random)
        return .authenticate(
            Authentication(
                user: UserID(raw: key.publicKey), device: DeviceID(raw: key.publicKey), signature: key.sign([1], for: .session)))
    }

    private func later(_ body: @escaping @Sendable () -> Void) {
        guard !end.isOff else { return }
        loop.assumeIsolated().scheduleTask(in: .milliseconds(5)) { body() }
    }

    func stop() {
        if end.turnOff() { try? group.syncShutdownGracefully() }
    }
}
