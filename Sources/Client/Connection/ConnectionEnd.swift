internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
internal import Vocabulary

/// Why a connection is over, in words for people.
package enum ConnectionEnd: Equatable, Sendable {
    case lost(String)
    /// The node broke the protocol: a whole sentence.
    case violated(String)

    package init(_ error: any Error) {
        self =
            switch error {
            case let error as NIOConnectionError:
                error.connectionErrors.first.map { ConnectionEnd($0.error) } ?? .lost("\(error.host) has no address")
            case let error as IOError: .lost(String(cString: strerror(error.errnoCode)))
            case NIOSSLError.uncleanShutdown: .lost("the connection was cut")
            case NIOSSLError.handshakeFailed, is BoringSSLError: .lost("what answers there could not agree on TLS 1.3 with us")
            case ChannelError.connectTimeout: .lost("no answer")
            case NIOWebSocketError.invalidFrameLength, NIOWebSocketFrameAggregator.Error.accumulatedFrameSizeIsTooLarge:
                .violated("It sent a frame of more than \(Limits.frameBytesMax) bytes.")
            case NIOWebSocketFrameAggregator.Error.tooManyFragments:
                .violated("It sent a frame in more than \(Limits.fragmentsPerMessageMax) parts.")
            case is NIOWebSocketError, is NIOWebSocketFrameAggregator.Error:
                .violated("It sent what is no frame of a WebSocket (RFC 6455).")
            case is HTTPParserError, is NIOHTTPClientUpgradeError: .violated("It answered with what is no WebSocket (RFC 6455).")
            default: .lost("\(error)")
            }
    }
}
