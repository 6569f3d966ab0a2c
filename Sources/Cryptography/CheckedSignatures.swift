internal import Synchronization
internal import Vocabulary

/// Remembers which signatures have held, for a process in which many nodes and devices live: in the world each checks for itself, on a
/// machine of its own. Only what has held is remembered, under a hash of key, signature and all that was signed; so nothing passes that
/// would not pass by itself.
package final class CheckedSignatures: Sendable {
    /// Of the task that runs the nodes and devices; nil in every program that is one of them.
    @TaskLocal package static var current: CheckedSignatures?

    /// What is forgotten is checked again. Some 100 bytes each.
    private static let keptMax = 100_000

    private let held = Mutex<Set<Digest>>([])

    package init() {}

    package var count: Int { held.withLock { $0.count } }

    func holds(_ signature: Signature, over message: [UInt8], by key: Bytes32, check: () -> Bool) -> Bool {
        let name = Hash.blake2b(key.bytes + signature.bytes + message)
        if held.withLock({ $0.contains(name) }) { return true }
        guard check() else { return false }
        held.withLock { held in
            if held.count >= Self.keptMax { held.removeAll() }
            held.insert(name)
        }
        return true
    }
}
