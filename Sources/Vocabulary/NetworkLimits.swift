/// Bounds of a node's sockets.
extension Limits {
    /// Time a connection has for its TLS handshake and, on the clients' port, for the HTTP request.
    public static let handshakeTimeout = Duration.seconds(10)
    /// Connections that have not authenticated yet: some 60 KiB of memory each during the handshake.
    public static let connectionsPendingMax = 2_048
    /// Of those, the ones from one address. Raising it lets one host hold more of them; lowering it hurts users behind one NAT.
    public static let connectionsPendingPerAddressMax = 512
    /// What a client may say in all before it has authenticated: a record twice.
    public static let bytesBeforeAuthenticationMax = 2 * userRecordBytesMax
    /// Frames that one connection may have waiting for the writer, and bytes of them; then its socket is not read.
    public static let unprocessedFramesPerConnectionMax = 64
    public static let unprocessedBytesPerConnectionMax = 256 * 1024
    /// Of what one read of a link has brought beyond that, so many frames are decoded: each takes a microsecond or two. Fewer make batches
    /// smaller.
    public static let decodedFramesPerConnectionMax = 512
    /// Frames of a kind that this version does not know, which are passed over; who sends more in one read says nothing else.
    public static let unknownFramesPerReadMax = 256
    /// Bytes of frames that all connections together may have waiting for the writer; then no socket is read.
    public static let unprocessedBytesMax = 64 * 1024 * 1024
    /// Counted for each waiting frame besides its bytes.
    public static let unprocessedFrameOverheadBytes = 256
    /// Bytes that wait for a client's socket; a client that reads slower is disconnected. Holds a push window several times.
    public static let outboundBytesPerSessionMax = 4 * 1024 * 1024
    /// Bytes that wait for another node's socket: a window of entries and a full set of statements.
    public static let outboundBytesPerLinkMax = 32 * 1024 * 1024
    /// Parts of one fragmented WebSocket message.
    public static let fragmentsPerMessageMax = 64
    /// Time to reach one address of a node.
    public static let dialTimeout = Duration.seconds(5)
    public static let adminBodyBytesMax = 1024 * 1024
    /// Of each of the two, the socket and the metrics listener. As many more are told that they are too many.
    public static let adminConnectionsMax = 64
    /// Time who is told so has for sending its request.
    public static let adminRefusalTimeout = Duration.seconds(2)
    /// What an admin client is willing to read.
    public static let adminAnswerBytesMax = 64 * 1024 * 1024
    /// Time for closing connections at a graceful stop.
    public static let drainTimeout = Duration.seconds(3)
}
