/// What is wrong with a name that a person typed or a peer sent.
public enum NameError: Explained, Equatable {
    case handle(String)
    case nodeName(String)
    case address(String)

    public var explanation: Explanation {
        switch self {
        case .handle(let text):
            Explanation(
                what: "\"\(Printable.line(text))\" cannot be a handle.",
                why: "A handle is 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning and ending with a letter or digit.",
                remedy: "Choose another, for example alice or bob.smith.")
        case .nodeName(let text):
            Explanation(
                what: "\"\(Printable.line(text))\" cannot be a node's name.",
                why: "A node's name is a DNS name (RFC 1123 §2.1): labels of a-z, 0-9 and '-', joined by dots, 253 bytes at most.",
                remedy: "Choose another, for example harbor or chat.example.org.")
        case .address(let text):
            Explanation(
                what: "\"\(Printable.line(text))\" is no address.", why: "An address is HANDLE@NODE.",
                remedy: "Write it like alice@harbor.")
        }
    }
}

/// The part of an address before the '@'; lower case.
public struct Handle: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let bytesMax = 32
    public let description: String

    public init(_ text: String) throws(NameError) {
        let bytes = Array(text.utf8)
        guard (1...Self.bytesMax).contains(bytes.count), let first = bytes.first, let last = bytes.last,
            first.isLowercaseAlphanumeric, last.isLowercaseAlphanumeric,
            bytes.allSatisfy({ $0.isLowercaseAlphanumeric || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f })
        else { throw .handle(text) }
        description = text
    }

    public static func < (x: Handle, y: Handle) -> Bool { x.description < y.description }
}

/// A node's name: any DNS name, resolvable or not; lower case.
public struct NodeName: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let bytesMax = 253
    public let description: String

    public init(_ text: String) throws(NameError) {
        let labels = text.utf8.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard (1...Self.bytesMax).contains(text.utf8.count),
            labels.allSatisfy({ label in
                guard (1...63).contains(label.count), let first = label.first, let last = label.last else { return false }
                return first.isLowercaseAlphanumeric && last.isLowercaseAlphanumeric
                    && label.allSatisfy { $0.isLowercaseAlphanumeric || $0 == 0x2d }
            })
        else { throw .nodeName(text) }
        description = text
    }

    public static func < (x: NodeName, y: NodeName) -> Bool { x.description < y.description }
}

/// `alice@harbor`: the node that issued the handle never changes; the user can live elsewhere.
public struct Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let handle: Handle
    public let issuer: NodeName

    public init(handle: Handle, issuer: NodeName) { (self.handle, self.issuer) = (handle, issuer) }

    public init(_ text: String) throws(NameError) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw .address(text) }
        self.init(handle: try Handle(String(parts[0])), issuer: try NodeName(String(parts[1])))
    }

    public var description: String { "\(handle)@\(issuer)" }
    public static func < (x: Address, y: Address) -> Bool { (x.issuer, x.handle) < (y.issuer, y.handle) }
}

extension UInt8 {
    fileprivate var isLowercaseAlphanumeric: Bool { (0x61...0x7a).contains(self) || (0x30...0x39).contains(self) }
}
