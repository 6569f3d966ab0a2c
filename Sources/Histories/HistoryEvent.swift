/// One thing that was seen to happen in a run. A history is these, in the order in which they were seen; a line each, as JSON.
///
/// What begins something (`invoke`, `online`) is noted before it happens; everything else after it was seen to happen. So where one event must
/// come before another, it does in the history too.
public struct HistoryEvent: Hashable, Sendable {
    /// Nanoseconds of one monotonic clock for the whole run.
    public let time: Int64
    /// The device that it happened to, by its user's address; for `plan`, `fault`, `healed` and `gauge`, whatever it is about.
    public let client: String
    public let what: What

    public init(_ time: Int64, _ client: String, _ what: What) { (self.time, self.client, self.what) = (time, client, what) }

    public enum What: Hashable, Sendable {
        /// A message is about to be handed to the client. Its name is unique in the run: its id, or its text while the id is not known.
        case invoke(message: String, to: Recipient)
        /// The client's word that the message has come so far.
        case ok(message: String, State, Place? = nil, chain: String? = nil)
        /// The client's word that it will never appear.
        case fail(message: String, reason: String)
        /// Nothing is known of it: there will be one copy or none.
        case info(message: String, reason: String)
        /// The client shows a message of somebody else's.
        case show(message: String, author: String, Place, chain: String? = nil)
        /// The client says that at this place stands something that it cannot show.
        case tombstone(Place, reason: String)
        /// The client shows a change of a group.
        case change(Place, Change, who: [String])
        /// The client has founded a group: it is in from before the first number.
        case found(conversation: String)
        /// The client has stored everything through this place.
        case head(Place, chain: String)
        /// The client has learned that somebody's device has, or has shown, everything through this place.
        case receipt(Place, by: String, State)
        case alarm(String, conversation: String, number: UInt64?)
        /// No process of the client runs from here on.
        case offline
        case online
        /// The client goes on from an old copy of its profile: what it shows again, and what it has lost, is not held against anybody.
        case restored
        /// The conversation's hub goes on from an old copy, marked as restored (docs/protocol/hub.md §10): it has forgotten what follows this
        /// place, and had given numbers through `through`.
        case setBack(Place, through: UInt64)
        /// Nothing is promised any more: to the client, whose home was expelled; or in the conversation, whose hub was, or was restored from
        /// a copy of before it was founded (docs/operating.md, "Backup and restore").
        case gone(conversation: String?)
        /// A fault that this run must see.
        case plan(fault: String)
        /// It has happened. `conversation`: a lie about it was told to the client, or its hub has forgotten some of it: alarms there are right,
        /// and needed.
        case fault(String, conversation: String? = nil)
        /// No fault from here on: all must come to agree by the history's end.
        case healed
        /// What is used of something that must not grow beyond a bound.
        case gauge(String, value: Int64, bound: Int64)
    }

    public enum Recipient: Hashable, Sendable {
        case user(String)
        case group(String)
    }

    public enum State: Int, Hashable, Comparable, Sendable, CaseIterable {
        case queued, sent, accepted, delivered, read

        public var name: String { "\(self)" }
        public init?(name: String) {
            guard let state = Self.allCases.first(where: { $0.name == name }) else { return nil }
            self = state
        }
        public static func < (x: State, y: State) -> Bool { x.rawValue < y.rawValue }
    }

    public enum Change: String, Hashable, Sendable {
        case added, removed, left
        /// A device of a member came back in, having lost its state.
        case rejoined
        /// The client itself came in; it says nothing of others.
        case joined
        /// Of names and roles.
        case other
    }

    public struct Place: Hashable, Comparable, Sendable, CustomStringConvertible {
        public let conversation: String
        public let number: UInt64

        public init(_ conversation: String, _ number: UInt64) { (self.conversation, self.number) = (conversation, number) }
        public var description: String { "\(conversation) \(number)" }
        public static func < (x: Place, y: Place) -> Bool { (x.conversation, x.number) < (y.conversation, y.number) }
    }
}
