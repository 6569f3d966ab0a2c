internal import Foundation
internal import Glibc
internal import Vocabulary

/// Waits for the disk, so that the writer need not: for one thing at a time.
///
/// `@unchecked`: every access to what varies holds `condition`.
final class DiskThread: @unchecked Sendable {
    typealias Work = @Sendable () -> Result<Void, StoreError>

    struct Outcome: Sendable {
        let result: Result<Void, StoreError>
        let duration: Duration
    }

    /// Steps of niceness: a third of what another thread has, where both want a whole processor. More would let the journal fill up while
    /// a saturated node answers.
    private static let patience: Int32 = 5

    private let condition = NSCondition()
    private var job: (work: Work, done: @Sendable () -> Void)?
    private var outcome: Outcome?
    private var isStopped = false

    /// - Parameter isPatient: yields the processor to whoever answers, where there are fewer processors than threads with work.
    init(name: String, isPatient: Bool = false) {
        let thread = Thread {
            // Of this thread alone, on Linux. To yield more is always allowed.
            let which = __priority_which_t(PRIO_PROCESS.rawValue)
            if isPatient { _ = setpriority(which, 0, min(19, getpriority(which, 0) + Self.patience)) }
            self.run()
        }
        thread.name = name
        thread.start()
    }

    /// - Parameter done: called on this thread when `outcome` is there.
    func start(_ work: @escaping Work, done: @escaping @Sendable () -> Void) {
        condition.lock()
        job = (work, done)
        condition.unlock()
        condition.broadcast()
    }

    /// Of what was started, once; nil while it is not there, or after it was taken.
    func takeOutcome() -> Outcome? {
        condition.lock()
        defer { condition.unlock() }
        defer { outcome = nil }
        return outcome
    }

    /// Waits for it. Only for somebody who has started something and not taken its outcome.
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
        while let (work, done) = next() {
            let start = Clock.now
            let result = work()
            let found = Outcome(result: result, duration: Clock.now - start)
            condition.lock()
            outcome = found
            condition.unlock()
            condition.broadcast()
            done()
        }
    }

    private func next() -> (work: Work, done: @Sendable () -> Void)? {
        condition.lock()
        defer { condition.unlock() }
        while job == nil, !isStopped { condition.wait() }
        defer { job = nil }
        return job
    }
}
