internal import Synchronization
public import Vocabulary

/// Work of a store that waits for the disk, for any one thread. It is done once, whoever asks: the next to ask waits, and has the same
/// answer.
///
/// `@unchecked`: what the work touches is nobody else's until it has been asked for its result.
public final class StoreJob: @unchecked Sendable {
    private let work: () throws(StoreError) -> Void
    private let outcome = Mutex<Result<Void, StoreError>?>(nil)

    init(_ work: @escaping () throws(StoreError) -> Void) { self.work = work }

    public func result() -> Result<Void, StoreError> {
        outcome.withLock { known in
            if let known { return known }
            let found: Result<Void, StoreError>
            do throws(StoreError) { found = .success(try work()) } catch { found = .failure(error) }
            known = found
            return found
        }
    }
}
