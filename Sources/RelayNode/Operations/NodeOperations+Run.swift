internal import Cryptography
internal import Federation
internal import Foundation
internal import Glibc
internal import Logging
internal import Storage
internal import Transport
package import Vocabulary

/// Of glibc, whose module lacks it: gives back what of the heap is free.
@_silgen_name("malloc_trim") private func trimHeap(_ pad: Int) -> Int32

extension NodeOperations {
    /// Runs the node until SIGTERM, SIGINT or SIGHUP; then drains, brings the store into its file and returns.
    ///
    /// - Parameters:
    ///   - lie: for tests alone.
    ///   - ready: called once, when both listeners serve.
    /// - Throws: before `ready` whatever keeps it from starting; after it only `StoreError`: what is on disk is unknown, and nothing was
    ///   said that depends on it.
    package static func run(
        _ folder: DataFolder, logLevel: String?, lie: NodeWriter.Lie? = nil, ready: (NodeName, NetworkAddresses) -> Void
    ) throws {
        let configuration = try folder.configuration()
        try folder.checkModes()
        guard Clock.wall >= Software.madeAfter else { throw OperationError.clockWrong }
        let key = try folder.nodeKey()
        var log = Logger(label: "posthouse") { StreamLogHandler.standardError(label: $0) }
        log.logLevel = Logger.Level(rawValue: logLevel ?? configuration.logLevel) ?? .notice
        let certificate: ServedCertificate
        do { certificate = try Self.certificate(configuration, key) } catch let error as TransportError {
            let (what, why) = (error.explanation.what, error.explanation.why)
            throw DataFolderError.badSetting(path: folder.configurationFile, key: "certificateFile", reason: "\(what) \(why)")
        }
        let open = try OpenStore(folder)
        // Read once, and let go as soon as the core has it: of a large directory each copy leaves holes in memory for good.
        var read: NodeRows? = try nodeRows(open.store)
        let lastListening = read.flatMap(Node.lastListening)
        let writer: NodeWriter
        do {
            writer = try NodeWriter(store: open.store, log: log, lie: lie) {
                let rows = try read.take() ?? nodeRows(open.store)
                return try restore(rows, from: open.store, key: key, certificateHash: certificate.hash)
            }
        } catch MembershipError.noGenesis { throw DataFolderError.notFounded(path: folder.path) }
        if let name = writer.nodeName, name != configuration.name {
            throw DataFolderError.badSetting(
                path: folder.configurationFile, key: "name",
                reason: "The federation knows this node as \(name); a name cannot be changed here.")
        }
        // What was read has been packed by now: what it took is the system's again.
        _ = trimHeap(0)
        let (network, addresses) = try listen(folder, configuration, key, certificate, writer, last: lastListening)
        writer.attach(network)
        let advertised = NetworkAddresses(
            clients: configuration.clientsAdvertised ?? addresses.clients, peers: configuration.peersAdvertised ?? addresses.peers,
            adminLoopback: addresses.adminLoopback)
        writer.listening(advertised)
        try stopOnSignals(writer)
        ready(configuration.name, addresses)
        log.notice("serving", metadata: ["clients": "\(addresses.clients)", "peers": "\(addresses.peers)"])
        try writer.run()
        network.stop()
        try open.store.close()
        open.lock.release()
        log.notice("stopped")
    }

    static func nodeRows(_ store: JournaledNodeStore) throws -> NodeRows {
        try NodeRows(values: { table throws(StoreError) in try store.values(table) }, highestPosition: try store.highestPosition())
    }

    /// The core as the disk has it.
    private static func restore(
        _ rows: consuming NodeRows, from store: JournaledNodeStore, key: SigningKey, certificateHash: Bytes32
    ) throws -> Node {
        var node: Node
        do {
            node = try Node(
                key: key, software: Software.name, certificateHash: certificateHash, rows: rows, at: Clock.now, wall: Clock.wall)
        } catch let error as CodecError {
            throw StoreError.corrupt("a row does not decode: \(error)")
        }
        let destinations = node.destinations
        for destination in destinations { node.restore(destination, outline: try store.outline(destination)) }
        try store.dropQueues(except: destinations)
        return node
    }

    private static func certificate(_ configuration: NodeConfiguration, _ key: SigningKey) throws -> ServedCertificate {
        if let chain = configuration.certificateFile, let file = configuration.certificateKeyFile {
            return try ServedCertificate(chainFile: chain, keyFile: file)
        }
        return try ServedCertificate(selfSigned: key)
    }

    /// One for two processors: the first also runs the core, the disk has a thread of its own, and each frame that comes in on another loop
    /// wakes two threads.
    private static var eventLoops: Int { max(1, ProcessInfo.processInfo.activeProcessorCount / 2) }

    /// A port that the system chose is kept over restarts, since clients and peers know it; if somebody else has it by now, it chooses anew.
    private static func listen(
        _ folder: DataFolder, _ configuration: NodeConfiguration, _ key: SigningKey, _ certificate: ServedCertificate, _ writer: NodeWriter,
        last: (clients: Endpoint, peers: Endpoint)?
    ) throws -> (Network, NetworkAddresses) {
        func sticky(_ wanted: Endpoint, _ last: Endpoint?) -> Endpoint {
            wanted.port == 0 && last?.host == wanted.host ? last ?? wanted : wanted
        }
        var settings = NetworkConfiguration(
            clients: sticky(configuration.clients, last?.clients), peers: sticky(configuration.peers, last?.peers), key: key,
            certificate: certificate, nodeName: configuration.name.description,
            adminSocket: try AdminSocket.path(dataFolder: folder.path), adminLoopback: configuration.metrics,
            eventLoops: eventLoops)
        while true {
            let network = try Network(settings, delegate: writer)
            do {
                return (network, try network.start())
            } catch NetworkError.portInUse(let endpoint) {
                network.stop()
                if endpoint == settings.clients, configuration.clients.port == 0, settings.clients.port != 0 {
                    settings.clients = configuration.clients
                } else if endpoint == settings.peers, configuration.peers.port == 0, settings.peers.port != 0 {
                    settings.peers = configuration.peers
                } else {
                    throw NetworkError.portInUse(endpoint)
                }
            }
        }
    }

    private static func stopOnSignals(_ writer: NodeWriter) throws(StoreError) {
        // What they tell of is an error of the write: a peer that has gone, a file at the system's limit.
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .io("pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let readEnd = ends[0]
        signalled = ends[1]
        // Made now: where the system has no thread for the process any more, it must still be possible to stop it in order.
        let thread = Thread {
            var byte: UInt8 = 0
            while true {
                let count = Glibc.read(readEnd, &byte, 1)
                if count == 1 { writer.stop() } else if count == 0 || errno != EINTR { return }
            }
        }
        thread.name = "signals"
        thread.start()
        for number in [SIGTERM, SIGINT, SIGHUP] {
            signal(number) { _ in
                let before = errno
                _ = Glibc.write(signalled, "!", 1)
                errno = before
            }
        }
    }
}

/// Where a signal's handler says that there was one. Written before the handler is there, never after.
nonisolated(unsafe) private var signalled: Int32 = -1
