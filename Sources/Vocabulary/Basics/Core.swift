/// A synchronous state machine: the same in the node, the client and the simulator. Nothing is asked of the world and nothing but
/// effects leaves.
public protocol Core: Sendable {
    /// Facts, in the past tense.
    associatedtype Input: Sendable
    /// Orders, in the imperative.
    associatedtype Effect: Sendable
    /// When to step with the core's `deadlineReached`; nil: nothing is due.
    var nextDeadline: Instant? { get }
    mutating func step(_ input: Input, at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect]
}

/// What somebody else sent and nobody has checked yet. The one function that checks it returns the bare value.
public struct Unverified<Value: Sendable & Equatable>: Sendable, Equatable {
    /// Named so that every use reads as what it is.
    public let unverifiedValue: Value
    public init(_ value: Value) { unverifiedValue = value }
}
