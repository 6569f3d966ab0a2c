/// Where something listens: `HOST:PORT`, the host a name, an IPv4 address or an IPv6 address in brackets.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    public static let bytesMax = 255 + 8
    public let host: String
    public let port: UInt16

    public init(host: String, port: UInt16) { (self.host, self.port) = (host, port) }

    /// One text for each endpoint, since endpoints stand in what is signed and compared: no sign or zeros before the port, brackets around
    /// IPv6 addresses alone.
    /// - Returns: nil unless it is HOST:PORT with a port from 0 to 65535.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.bytesMax, let colon = bytes.lastIndex(of: 0x3a) else { return nil }
        let digits = String(decoding: bytes[(colon + 1)...], as: UTF8.self)
        guard let port = UInt16(digits), String(port) == digits else { return nil }
        var host = bytes[..<colon]
        let isBracketed = host.count >= 2 && host.first == 0x5b && host.last == 0x5d
        if isBracketed { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, host.contains(0x3a) == isBracketed, host.allSatisfy(Self.isAllowed) else { return nil }
        self.init(host: String(decoding: host, as: UTF8.self), port: port)
    }

    /// What names (RFC 1123 §2.1) and addresses are made of, with the zone of a link-local one (RFC 4007 §11): nothing that a URL, a shell or a
    /// page would take for something else.
    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "-._:%".utf8.contains(byte)
        }
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
