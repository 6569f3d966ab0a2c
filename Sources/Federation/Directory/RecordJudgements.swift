internal import Cryptography
internal import Synchronization
internal import Vocabulary

/// Whoever can find out beside the core what records are worth: the shell, which has other processors.
package protocol RecordHelpers: Sendable {
    /// Called on the core's thread. Returns at once; others call `judgeNext` meanwhile, until it says that there is nothing left.
    func help(with judgements: RecordJudgements)
}

/// What the records of one frame are worth by themselves: whether they decode and their signatures hold.
///
/// That depends on their bytes alone, so it can be found out by anybody and in any order, and the core does the same with helpers as without:
/// it takes the records one after the other, and asks of each. Helpers go ahead of it. Where one of them is still at what the core needs, the
/// core goes ahead too, and when nothing is left it does not wait but finds out by itself: a helper that has lost its processor holds up nobody.
package final class RecordJudgements: Sendable {
    typealias Verdict = Result<UserRecord, DirectoryRefusal>

    /// For fewer records than this nobody is woken.
    private static let helpedFrom = 4

    /// Of the thread that steps the core; nil, as in tests and in the simulator: the core does it all.
    @TaskLocal package static var helpers: (any RecordHelpers)?

    private struct State {
        /// What was found out, by the record's place in the frame.
        var verdicts: [Int: Verdict] = [:]
        /// How many of `ahead` were begun.
        var begun = 0
        var forged: UInt64 = 0
        var isOver = false
    }

    private let records: [SignedUserRecord]
    /// The places of those that the core is going to ask about.
    private let ahead: [Int]
    private let federation: FederationID
    private let forgedMax: UInt64
    private let state = Mutex(State())

    /// - Parameters:
    ///   - ahead: rising; what is held already is not among them, nor the same record twice.
    ///   - forgedMax: after so many that do not hold none is looked at ahead.
    init(of records: [SignedUserRecord], ahead: [Int], in federation: FederationID, forgedMax: UInt64) {
        (self.records, self.ahead, self.federation, self.forgedMax) = (records, ahead, federation, forgedMax)
        if ahead.count >= Self.helpedFrom { Self.helpers?.help(with: self) }
    }

    /// Of a record alone, whoever sent it: its place among others is the directory's to know.
    static func judge(_ signed: SignedUserRecord, in federation: FederationID, checking checks: UserRecordChecks) -> Verdict {
        do {
            let record = try signed.verified(in: federation, checking: checks)
            return record.version > 1 || record.previous == .zero ? .success(record) : .failure(.forged)
        } catch {
            return .failure(error == .otherFederation ? .otherFederation : .forged)
        }
    }

    /// Finds out about the next record that nobody has begun with.
    /// - Returns: false if there is none, or if it does not matter any more.
    package func judgeNext() -> Bool {
        let next = state.withLock { state -> Int? in
            guard !state.isOver, state.forged < forgedMax, state.begun < ahead.count else { return nil }
            state.begun += 1
            return ahead[state.begun - 1]
        }
        guard let next else { return false }
        let verdict = judge(next)
        state.withLock { state in
            state.verdicts[next] = verdict
            if verdict == .failure(.forged) { state.forged += 1 }
        }
        return true
    }

    /// What the record at a place is worth.
    func verdict(at place: Int) -> Verdict {
        repeat {
            if let known = state.withLock({ $0.verdicts.removeValue(forKey: place) }) { return known }
        } while isAhead(place) && judgeNext()
        // Somebody is at it, or nobody was asked to.
        return judge(place)
    }

    /// Nobody needs more of them.
    func end() { state.withLock { $0.isOver = true } }

    private func isAhead(_ place: Int) -> Bool {
        var (low, high) = (0, ahead.count)
        while low < high {
            let middle = (low + high) / 2
            if ahead[middle] < place { low = middle + 1 } else { high = middle }
        }
        return low < ahead.count && ahead[low] == place
    }

    private func judge(_ place: Int) -> Verdict { Self.judge(records[place], in: federation, checking: .binding) }
}
