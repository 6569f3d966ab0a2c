internal import MLS
internal import Synchronization

/// What all test clients of the process know to be signed. A thousand members that join a group of a thousand would otherwise check a
/// million signatures, which in the world a thousand machines do.
final class LoadGroupSignatures: SignatureMemory {
    private final class Shelf: Sendable { let known = Mutex<Set<[UInt8]>>([]) }
    private let shelves = (0..<64).map { _ in Shelf() }

    private func shelf(_ digest: [UInt8]) -> Shelf { shelves[Int(digest.first ?? 0) % shelves.count] }
    func contains(_ digest: [UInt8]) -> Bool { shelf(digest).known.withLock { $0.contains(digest) } }
    func insert(_ digest: [UInt8]) { shelf(digest).known.withLock { _ = $0.insert(digest) } }
}
