package import Vocabulary

/// Why the node cannot listen.
package enum NetworkError: Explained, Equatable {
    case portInUse(Endpoint)
    case portForbidden(Endpoint)
    case badHost(Endpoint)
    case notLoopback(Endpoint)
    case adminSocketInUse(path: String)
    case adminFolder(path: String, reason: String)
    case other(what: String, reason: String)

    package var explanation: Explanation {
        switch self {
        case .portInUse(let endpoint):
            Explanation(
                what: "Cannot listen on \(endpoint).", why: "Another program listens there.",
                remedy: "Stop it (`ss -ltnp` shows it), or choose another port; 0 lets the system choose.")
        case .portForbidden(let endpoint):
            Explanation(
                what: "Cannot listen on \(endpoint).", why: "This user may not use the port.",
                remedy: "Choose a port above 1023, or give the program the capability CAP_NET_BIND_SERVICE.")
        case .badHost(let endpoint):
            Explanation(
                what: "Cannot listen on \(endpoint).", why: "\"\(Printable.line(endpoint.host))\" is no address of this machine.",
                remedy: "Use an address that `ip address` shows, or 0.0.0.0 for all.")
        case .notLoopback(let endpoint):
            Explanation(
                what: "Admin HTTP is not served on \(endpoint).", why: "It asks for no password, so it stays on this machine.",
                remedy: "Use 127.0.0.1:PORT.")
        case .adminSocketInUse(let path):
            Explanation(
                what: "Cannot open the admin socket \(path).", why: "A running node answers on it.",
                remedy: "Stop that node, or use another data folder.")
        case .adminFolder(let path, let reason):
            Explanation(
                what: "Cannot use \(path) for the admin socket.", why: reason,
                remedy: "Remove it, or use a data folder with a path of fewer than 90 bytes.")
        case .other(let what, let reason):
            Explanation(what: what, why: reason, remedy: "Mend that, then start again.")
        }
    }
}
