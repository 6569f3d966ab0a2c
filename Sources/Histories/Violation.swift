/// A promise that a history shows broken.
public enum Violation: Hashable, Sendable {
    public typealias Place = HistoryEvent.Place

    // What was sent
    /// Said to be kept, and nobody has it.
    case lost(String)
    /// Not shown to somebody who was in, though others have it; or shown to nobody in a place that all went past.
    case missed(String, at: String)
    /// Shown, but never sent, or to somebody else, or under another's name.
    case phantom(String, at: String)
    case duplicated(String, at: String)
    /// Shown to somebody who was not in.
    case leaked(String, at: String)
    /// Said to have failed, and there all the same.
    case failedButAppeared(String)

    // Numbers
    case outOfOrder(Place, at: String)
    /// Two messages, or a message and a change, at one place.
    case twoAtOnePlace(Place, at: String)
    /// One message at two places.
    case twoPlaces(String, at: String)
    /// Two devices have other histories through one place.
    case fork(Place, at: String)
    /// No device knows what stands there.
    case gap(Place)
    /// Something that could not be shown, in a run without a reason for it.
    case unreadable(Place, at: String)
    /// The first was acknowledged before the second was handed over, and has the higher number.
    case sessionOrder(String, String)
    /// A repeat was answered otherwise than the first time.
    case answeredDifferently(String)
    /// A message came back from a later state to an earlier one.
    case stateBackwards(String)

    // Receipts
    /// Said to be delivered while no device of the recipient had it.
    case receiptAhead(String, at: String)
    case receiptBackwards(Place, of: String, at: String)
    case receiptByStranger(Place, of: String, at: String)
    /// The sender has never learned that it arrived.
    case neverConfirmed(String)

    // The run
    case falseAlarm(String, at: String)
    /// A lie was told, devices differ, and none was alarmed.
    case lieUnnoticed(conversation: String)
    case unbounded(String, value: Int64, bound: Int64)
    /// After healing, behind others who are in the same conversation.
    case notConverged(Place, at: String)
    /// After healing, and all the time that there was: something that should have come to its end.
    case unsettled(String, at: String)
    /// Nothing was sent, or nothing shown: it proves nothing.
    case empty
    case faultNeverHappened(String)
}

extension Violation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .lost(let message): "lost: \(message)"
        case .missed(let message, let reader): "\(reader) was in and lacks \(message)"
        case .phantom(let message, let reader): "\(reader) has what nobody sent so: \(message)"
        case .duplicated(let message, let reader): "\(reader) was shown twice: \(message)"
        case .leaked(let message, let reader): "\(reader) was not in and has \(message)"
        case .failedButAppeared(let message): "said to have failed, and there all the same: \(message)"
        case .outOfOrder(let place, let reader): "\(reader) was shown out of order: \(place)"
        case .twoAtOnePlace(let place, let reader): "\(reader) has something else than others at \(place)"
        case .twoPlaces(let message, let reader): "\(reader) has at another place than others: \(message)"
        case .fork(let place, let reader): "\(reader) has another history than others through \(place)"
        case .gap(let place): "nobody knows what is at \(place)"
        case .unreadable(let place, let reader): "\(reader) could not read what is at \(place)"
        case .sessionOrder(let first, let second): "numbered in another order than sent: \(first), then \(second)"
        case .answeredDifferently(let message): "a repeat was answered otherwise than the first time: \(message)"
        case .stateBackwards(let message): "went back to an earlier state: \(message)"
        case .receiptAhead(let message, let reader): "said to be delivered before \(reader) had it: \(message)"
        case .receiptBackwards(let place, let of, let reader): "\(reader) heard less of \(of) than before: \(place)"
        case .receiptByStranger(let place, let of, let reader): "\(reader) has a receipt of \(of), who is not in: \(place)"
        case .neverConfirmed(let message): "its sender never learned that it arrived: \(message)"
        case .falseAlarm(let alarm, let reader): "\(reader) was alarmed without a reason: \(alarm)"
        case .lieUnnoticed(let conversation): "a lie about \(conversation) went unnoticed"
        case .unbounded(let name, let value, let bound): "\(name): \(value), more than \(bound)"
        case .notConverged(let place, let reader): "\(reader) is still at \(place)"
        case .unsettled(let what, let reader): "\(reader) does not come to rest: \(what)"
        case .empty: "nothing happened"
        case .faultNeverHappened(let fault): "planned, and never happened: \(fault)"
        }
    }
}
