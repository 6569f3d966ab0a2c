internal import Foundation
package import Vocabulary

/// `posthouse.json` in the data folder. Every setting has a default but `name`; an unknown one is an error, since a misspelt
/// setting that is silently ignored is found out at the worst time.
package struct NodeConfiguration: Equatable, Sendable {
    /// The node's name in the federation.
    package var name: NodeName
    /// Where clients and peers reach the node; port 0: the system chooses at the first start, and the choice is kept.
    package var clients: Endpoint
    package var peers: Endpoint
    /// What tickets, invitations and other nodes are told, where that differs (behind a forwarding router).
    package var clientsAdvertised: Endpoint?
    package var peersAdvertised: Endpoint?
    /// Listening beyond loopback is a decision, so it is written down.
    package var isPublic = false
    /// PEM files of a certificate for the clients' port; default: one made from the node key.
    package var certificateFile: String?
    package var certificateKeyFile: String?
    /// A loopback address for /metrics, /livez and /readyz; default: none but the admin socket.
    package var metrics: Endpoint?
    /// trace, debug, info, notice, warning, error; to stderr.
    package var logLevel = Self.logLevelDefault

    package static let fileName = "posthouse.json"
    private static let logLevelDefault = "notice"
    package static let logLevels = ["trace", "debug", "info", "notice", "warning", "error"]
    private static let known = [
        "name", "clients", "peers", "clientsAdvertised", "peersAdvertised", "public", "certificateFile", "certificateKeyFile", "metrics",
        "logLevel",
    ]

    package init(name: NodeName, clients: Endpoint, peers: Endpoint) {
        (self.name, self.clients, self.peers) = (name, clients, peers)
    }

    package init(contentsOf path: String) throws(DataFolderError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .configurationUnreadable(path: path, reason: String(cString: strerror(errno)))
        }
        try self.init(decoding: Array(data), path: path)
    }

    /// - Parameter path: where it stands, for the errors.
    package init(decoding bytes: [UInt8], path: String) throws(DataFolderError) {
        let parsed: Any
        do { parsed = try JSONSerialization.jsonObject(with: Data(bytes)) } catch {
            let detail = (error as NSError).userInfo["NSDebugDescription"] as? String
            throw .configurationUnreadable(path: path, reason: "It is not JSON. \(detail ?? "")")
        }
        guard let object = parsed as? [String: Any] else { throw .configurationUnreadable(path: path, reason: "It is not a JSON object.") }
        for key in object.keys.sorted() where !Self.known.contains(key) { throw .unknownSetting(path: path, key: key, known: Self.known) }

        func text(_ key: String) throws(DataFolderError) -> String? {
            guard let value = object[key] else { return nil }
            guard let text = value as? String else { throw .badSetting(path: path, key: key, reason: "It must be a string.") }
            return text
        }
        func endpoint(_ key: String) throws(DataFolderError) -> Endpoint? {
            guard let value = try text(key) else { return nil }
            guard let endpoint = Endpoint(value) else { throw .badSetting(path: path, key: key, reason: "It must be HOST:PORT.") }
            return endpoint
        }
        guard let nameText = try text("name"), let name = try? NodeName(nameText) else {
            throw .badSetting(path: path, key: "name", reason: "It must be the node's name, a DNS name.")
        }
        self.init(
            name: name, clients: try endpoint("clients") ?? Self.clientsDefault, peers: try endpoint("peers") ?? Self.peersDefault)
        clientsAdvertised = try endpoint("clientsAdvertised")
        peersAdvertised = try endpoint("peersAdvertised")
        certificateFile = try text("certificateFile")
        certificateKeyFile = try text("certificateKeyFile")
        metrics = try endpoint("metrics")
        logLevel = try text("logLevel") ?? logLevel
        if let value = object["public"] {
            guard let flag = value as? Bool else { throw .badSetting(path: path, key: "public", reason: "It must be true or false.") }
            isPublic = flag
        }
        guard Self.logLevels.contains(logLevel) else {
            throw .badSetting(path: path, key: "logLevel", reason: "It is one of \(Self.logLevels.joined(separator: ", ")).")
        }
        guard (certificateFile == nil) == (certificateKeyFile == nil) else {
            throw .badSetting(path: path, key: "certificateFile", reason: "certificateFile and certificateKeyFile go together.")
        }
        try checkLoopback()
        if let (one, other) = collision {
            throw .badSetting(path: path, key: other, reason: "\"\(one)\" listens there already: each listener needs a port of its own.")
        }
        for (key, endpoint, advertised) in [("clients", clients, clientsAdvertised), ("peers", peers, peersAdvertised)]
        where endpoint.isUnspecified && advertised == nil {
            throw .badSetting(path: path, key: key + "Advertised", reason: "\(key) listens on every address, and others must be told one.")
        }
    }

    package static let clientsDefault = Endpoint(host: "127.0.0.1", port: 7443)
    package static let peersDefault = Endpoint(host: "127.0.0.1", port: 7444)

    /// Two settings that name one place to listen; a port that the system chooses is no other listener's.
    package var collision: (String, String)? {
        let all = [("clients", clients), ("peers", peers)] + (metrics.map { [("metrics", $0)] } ?? [])
        for (index, one) in all.enumerated() {
            for other in all[(index + 1)...] where one.1.port != 0 && one.1.port == other.1.port {
                if one.1.host == other.1.host || one.1.isUnspecified || other.1.isUnspecified { return (one.0, other.0) }
            }
        }
        return nil
    }

    package func checkLoopback() throws(DataFolderError) {
        if !isPublic {
            if !clients.isLoopback { throw .notLoopback(setting: "clients", endpoint: clients) }
            if !peers.isLoopback { throw .notLoopback(setting: "peers", endpoint: peers) }
        }
    }

    package var json: [UInt8] {
        var object: [String: Any] = ["name": name.description, "clients": clients.description, "peers": peers.description]
        if isPublic { object["public"] = true }
        object["clientsAdvertised"] = clientsAdvertised?.description
        object["peersAdvertised"] = peersAdvertised?.description
        object["certificateFile"] = certificateFile
        object["certificateKeyFile"] = certificateKeyFile
        object["metrics"] = metrics?.description
        if logLevel != Self.logLevelDefault { object["logLevel"] = logLevel }
        let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try? JSONSerialization.data(withJSONObject: object, options: options)
        return Array(data ?? Data()) + [0x0a]
    }
}
