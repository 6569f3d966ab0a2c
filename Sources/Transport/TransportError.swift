public import Vocabulary

public enum TransportError: Explained, Equatable {
    /// The operator's certificate chain or key cannot be used.
    case certificateFile(path: String, reason: String)
    case ownCertificate(reason: String)
    case tls(reason: String)

    public var explanation: Explanation {
        switch self {
        case .certificateFile(let path, let reason):
            Explanation(
                what: "Cannot use the TLS file \(path).", why: Printable.line(reason),
                remedy:
                    "Give a PEM file that this user can read: the chain, the server's certificate first, or the key of that."
            )
        case .ownCertificate(let reason):
            Explanation(
                what: "Cannot make the node's own certificate.", why: Printable.line(reason),
                remedy: "Check keys/node.key; it holds 32 bytes.")
        case .tls(let reason):
            Explanation(
                what: "TLS cannot be set up.", why: Printable.line(reason),
                remedy: "Check that the certificate and its key belong together.")
        }
    }
}
