internal import Federation
internal import Foundation
internal import Glibc
internal import Synchronization

/// The other processors, for the checks of a frame full of user records: a node that joins has a million of them before it.
///
/// They are begun when the first such frame is there: most nodes never need them. They yield to everybody else on the machine, so that
/// they take what is left over; the core waits for none of them.
final class HelperThreads: RecordHelpers {
    /// A frame has some 200 records; more threads than this would mostly wake and find nothing left.
    private static let threadsMax = 3
    /// Steps of niceness: a tenth of what another thread has, where both want a whole processor.
    private static let patience: Int32 = 10

    private struct State {
        var judgements: RecordJudgements?
        var areBegun = false
        var isStopped = false
    }

    private let count: Int
    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)

    /// - Parameter processors: of the machine; one of them is the event loop's.
    init(processors: Int) { count = max(0, min(processors - 1, Self.threadsMax)) }

    func help(with judgements: RecordJudgements) {
        guard count > 0 else { return }
        // The core waits for no helper, so not for this lock either.
        let areBegun = state.withLockIfAvailable { state in
            state.judgements = judgements
            defer { state.areBegun = true }
            return state.areBegun
        }
        guard let areBegun else { return }
        if !areBegun { begin() }
        for _ in 0..<count { work.signal() }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        for _ in 0..<count { work.signal() }
    }

    private func begin() {
        for number in 1...count {
            let thread = Thread { [self] in
                // Of this thread alone, on Linux. To yield more is always allowed.
                let which = __priority_which_t(PRIO_PROCESS.rawValue)
                _ = setpriority(which, 0, min(19, getpriority(which, 0) + Self.patience))
                run()
            }
            thread.name = "helper \(number)"
            thread.start()
        }
    }

    private func run() {
        while true {
            work.wait()
            let (judgements, isStopped) = state.withLock { ($0.judgements, $0.isStopped) }
            if isStopped { return }
            guard let judgements else { continue }
            while judgements.judgeNext() {}
            state.withLock { if $0.judgements === judgements { $0.judgements = nil } }
        }
    }
}
