internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Vocabulary

/// Looks at ports without using them.
enum TCPProbe {
    /// - Returns: why the endpoint cannot be listened on; nil if it can.
    static func bind(_ endpoint: Endpoint) -> String? {
        do {
            let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            try bootstrap.bind(host: endpoint.host, port: Int(endpoint.port)).wait().close().wait()
            return nil
        } catch let error as IOError {
            return String(cString: strerror(error.errnoCode)) + "."
        } catch { return "\(error)" }
    }

    static func connects(_ endpoint: Endpoint) -> Bool {
        let channel = try? ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(2))
            .connect(host: endpoint.host, port: Int(endpoint.port)).wait()
        try? channel?.close().wait()
        return channel != nil
    }
}
