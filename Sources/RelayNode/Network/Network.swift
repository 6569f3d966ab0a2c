package import Vocabulary

/// All sockets of a node. Thread-safe; never call it from an event loop's own callbacks to wait.
package final class Network: Sendable {
    package init(_ configuration: NetworkConfiguration, delegate: any NetworkDelegate) throws { fatalError("under way") }
    /// Listens. Blocks; call it once.
    package func start() throws -> NetworkAddresses { fatalError("under way") }
    /// SHA-256 of the certificate that clients are shown (its DER form), for `SessionProof.node`.
    package var certificateHash: Bytes32 { .zero }
    package func perform(_ batch: NetworkBatch) {}
    /// Tries the addresses in turn, until one answers as `peer`. Ends in `linkOpened(dialled: true)` or `dialFailed`.
    package func dial(_ peer: NodeID, at addresses: [Endpoint]) {}
    /// Stops listening, says goodbye to every session and link, closes them, waits for that a little, ends the event loops. Blocks.
    package func stop(_ goodbye: Refusal = Refusal(.shuttingDown, "the node is stopping")) {}
}
