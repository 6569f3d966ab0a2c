/// One client connection of this process; never stored, never sent.
public struct SessionID: Hashable, Comparable, Sendable {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
    public static func < (x: SessionID, y: SessionID) -> Bool { x.value < y.value }
}

/// One connection to another node; never stored, never sent.
public struct LinkID: Hashable, Comparable, Sendable {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
    public static func < (x: LinkID, y: LinkID) -> Bool { x.value < y.value }
}
