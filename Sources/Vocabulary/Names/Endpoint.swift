/// Where something listens: `HOST:PORT`, the host a name, an IPv4 address or an IPv6 address in brackets.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    public static let bytesMax = 255 + 8
    public let host: String
    public let port: UInt16

    public init(host: String, port: UInt16) { (self.host, self.port) = (host, port) }

    /// - Returns: nil unless it is HOST:PORT with a port from 0 to 65535.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.bytesMax, let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x2f && $0 != 0x40 }) else { return nil }
        self.init(host: String(host), port: port)
    }

    /// 127.0.0.0/8, ::1 or localhost.
    public var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Every address of the machine: to listen on, not to tell others.
    public var isUnspecified: Bool { host == "0.0.0.0" || host == "::" }
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
