internal import Foundation
internal import Storage
internal import Vocabulary

/// Waits for the disk, so that the writer need not: one commit at a time.
///
/// `@unchecked`: every access to what varies holds `condition`.
final class DiskThread: @unchecked Sendable {
    struct Outcome: Sendable {
        let result: Result<Void, StoreError>
        let duration: Duration
    }

    private let condition = NSCondition()
    private var job: (commit: StagedCommit, done: @Sendable () -> Void)?
    private var outcome: Outcome?
    private var isStopped = false

    init() {
        let thread = Thread { self.run() }
        thread.name = "disk"
        thread.start()
    }

    /// - Parameter done: called on this thread when `outcome` is there.
    func start(_ commit: StagedCommit, done: @escaping @Sendable () -> Void) {
        condition.lock()
        job = (commit, done)
        condition.unlock()
        condition.broadcast()
    }

    /// Of the commit that was started, once; nil while it is not there, or after it was taken.
    func takeOutcome() -> Outcome? {
        condition.lock()
        defer { condition.unlock() }
        defer { outcome = nil }
        return outcome
    }

    /// Waits for it. Only for somebody who has started a commit and not taken its outcome.
    func awaitOutcome() -> Outcome {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let found = outcome {
                outcome = nil
                return found
            }
            condition.wait()
        }
    }

    func stop() {
        condition.lock()
        isStopped = true
        condition.unlock()
        condition.broadcast()
    }

    private func run() {
        while let (commit, done) = next() {
            let start = Clock.now
            let result = commit.result()
            let found = Outcome(result: result, duration: Clock.now - start)
            condition.lock()
            outcome = found
            condition.unlock()
            condition.broadcast()
            done()
        }
    }

    private func next() -> (commit: StagedCommit, done: @Sendable () -> Void)? {
        condition.lock()
        defer { condition.unlock() }
        while job == nil, !isStopped { condition.wait() }
        defer { job = nil }
        return job
    }
}
