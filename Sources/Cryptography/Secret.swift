internal import CSodium

/// Secret bytes: wiped when the last reference goes, compared in constant time, never printed.
///
/// A final class, not a struct: a value would be copied, and copies cannot be wiped.
public final class Secret: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    // Written in `init` and wiped in `deinit` only; in between every access reads. Hence the sharing is safe.
    private nonisolated(unsafe) let memory: UnsafeMutablePointer<UInt8>
    public let count: Int

    public init(_ bytes: some Collection<UInt8>) {
        Sodium.ready
        count = bytes.count
        memory = .allocate(capacity: max(count, 1))
        _ = UnsafeMutableBufferPointer(start: memory, count: count).initialize(from: bytes)
    }

    /// Filled in place, so that no copy is left behind; the memory is zeros before.
    init(count: Int, filling body: (UnsafeMutablePointer<UInt8>) -> Void) {
        Sodium.ready
        self.count = count
        memory = .allocate(capacity: max(count, 1))
        memory.initialize(repeating: 0, count: max(count, 1))
        body(memory)
    }

    /// Takes bytes over: wipes the array it is given.
    public convenience init(consuming bytes: inout [UInt8]) {
        self.init(bytes)
        wipe(&bytes)
    }

    deinit {
        sodium_memzero(memory, count)
        memory.deallocate()
    }

    public func withBytes<T, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> T) throws(E) -> T {
        try body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    /// For libsodium's calls; `count` bytes may be read.
    func withPointer<T>(_ body: (UnsafePointer<UInt8>) -> T) -> T { body(memory) }

    /// A copy that the caller must `wipe`; for storing and for handing to an interface that takes arrays.
    public func copyBytes() -> [UInt8] { withBytes { Array($0) } }

    public static func == (x: Secret, y: Secret) -> Bool {
        x.count == y.count && sodium_memcmp(x.memory, y.memory, x.count) == 0
    }

    public var description: String { "Secret(\(count) bytes)" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Overwrites an array in place with zeros that the optimiser may not drop.
public func wipe(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { sodium_memzero($0.baseAddress, $0.count) }
}

/// In time that depends on the lengths alone.
public func constantTimeEqual(_ x: [UInt8], _ y: [UInt8]) -> Bool {
    x.count == y.count && sodium_memcmp(x, y, x.count) == 0
}
