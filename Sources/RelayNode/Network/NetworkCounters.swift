internal import Synchronization

/// What the sockets have seen since the start, for `/metrics`. Counting decides nothing.
package struct NetworkCounts: Sendable, Equatable {
    /// Client connections closed because there were too many, of all or from one address, and peers' because of unfinished handshakes.
    package let connectionsRefused: Int
    /// TLS or HTTP that failed or was not done in time.
    package let handshakesFailed: Int
    /// Connections closed for breaking a protocol.
    package let violations: Int
    /// Connections closed because the other side did not read.
    package let slowReaders: Int
    package let framesReceived, framesSent: Int
    /// Of frames, without TLS.
    package let bytesReceived, bytesSent: Int
    /// Bytes of received frames that wait for the writer, and their bound.
    package let unprocessedBytes, unprocessedBytesMax: Int
}

final class NetworkCounters: Sendable {
    let connectionsRefused = Counted()
    let handshakesFailed = Counted()
    let violations = Counted()
    let slowReaders = Counted()
    let framesReceived = Counted(), framesSent = Counted()
    let bytesReceived = Counted(), bytesSent = Counted()

    func counts(inflow: Inflow) -> NetworkCounts {
        NetworkCounts(
            connectionsRefused: connectionsRefused.value, handshakesFailed: handshakesFailed.value, violations: violations.value,
            slowReaders: slowReaders.value, framesReceived: framesReceived.value, framesSent: framesSent.value,
            bytesReceived: bytesReceived.value, bytesSent: bytesSent.value, unprocessedBytes: inflow.waiting,
            unprocessedBytesMax: inflow.bytesMax)
    }
}

final class Counted: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add(_ more: Int = 1) { count.wrappingAdd(more, ordering: .relaxed) }
}
