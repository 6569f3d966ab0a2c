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
/// core goes ahead too, and when nothing is left it does not wait but finds out by itself. Nor does it wait for the lock: a helper that has
/// lost its processor holds up nobody.
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

        /// The next place that nobody has begun with, and that the core has not passed.
        mutating func begin(of ahead: [Int], from place: Int, forgedMax: UInt64) -> Int? {
            while begun < ahead.count, ahead[begun] < place { begun += 1 }
            guard forged < forgedMax, begun < ahead.count else { return nil }
            begun += 1
            return ahead[begun - 1]
        }

        mutating func found(_ verdict: Verdict, at place: Int) {
            verdicts[place] = verdict
            if verdict == .failure(.forged) { forged += 1 }
        }
    }

    private let records: [SignedUserRecord]
    /// The places of those that the core is going to ask about.
    private let ahead: [Int]
    private let isAhead: Set<Int>
    private let federation: FederationID
    private let forgedMax: UInt64
    private let state = Mutex(State())
    private let isOver = Atomic(false)

    /// - Parameters:
    ///   - ahead: rising; what is held already is not among them, nor the same record twice.
    ///   - forgedMax: after so many that do not hold none is looked at ahead.
    init(of records: [SignedUserRecord], ahead: [Int], in federation: FederationID, forgedMax: UInt64) {
        (self.records, self.ahead, self.federation, self.forgedMax) = (records, ahead, federation, forgedMax)
        isAhead = Set(ahead)
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

    /// For helpers: finds out about the next record that nobody has begun with.
    /// - Returns: false if there is none, or if it does not matter any more.
    package func judgeNext() -> Bool {
        guard !isOver.load(ordering: .relaxed),
            let next = state.withLock({ $0.begin(of: ahead, from: 0, forgedMax: forgedMax) })
        else { return false }
        let verdict = judge(next)
        state.withLock { $0.found(verdict, at: next) }
        return true
    }

    /// For the core: what the record at a place is worth.
    func verdict(at place: Int) -> Verdict {
        guard isAhead.contains(place) else { return judge(place) }
        while true {
            let (known, next) =
                state.withLockIfAvailable { state -> (Verdict?, Int?) in
                    if let known = state.verdicts.removeValue(forKey: place) { return (known, nil) }
                    return (nil, state.begin(of: ahead, from: place, forgedMax: forgedMax))
                } ?? (nil, nil)
            if let known { return known }
            // Somebody is at it, and there is nothing else to do.
            guard let next else { return judge(place) }
            let verdict = judge(next)
            // What cannot be noted now is found out once more.
            _ = state.withLockIfAvailable { $0.found(verdict, at: next) }
            if next == place { return verdict }
        }
    }

    /// Nobody needs more of them.
    func end() { isOver.store(true, ordering: .relaxed) }

    private func judge(_ place: Int) -> Verdict { Self.judge(records[place], in: federation, checking: .binding) }
}
