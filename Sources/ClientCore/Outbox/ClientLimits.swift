internal import Vocabulary

/// The client's own bounds; those of the protocol are in `Limits`.
public enum ClientLimits {
    /// Submissions handed to the home and not yet answered. More hides longer delays; the home's bursts bound it (`Limits.requestBurst`).
    public static let submissionsInFlightMax = 256
    /// Messages that may wait in the outbox, unconfirmed ones included; then sending is refused.
    public static let outboxItemsMax = 50_000
    /// A message that the home holds is handed over again when its fate is unknown for this long.
    public static let overdueAfter = Duration.hours(1)
    /// A contact's record is looked up again before sending when it is older than this.
    public static let recordFreshFor = Duration.minutes(1)
    /// Time for TLS, greeting and authentication together.
    public static let openingTimeout = Duration.seconds(10)
    /// Half of what a node tolerates (`Limits.sessionIdleTimeout`).
    public static let pingEvery = Duration.seconds(60)
    public static let pongTimeout = Duration.seconds(20)
    /// Look-ups in flight; more wait.
    public static let lookupsMax = 64
}

/// Full jitter: a random time up to a bound that doubles, so that clients of a returning node do not come all at once.
enum Backoff {
    static func delay(attempt: Int, using random: inout some RandomNumberGenerator) -> Duration {
        let bound = min(Limits.reconnectDelayMin.nanoseconds << Int64(min(max(attempt, 0), 10)), Limits.reconnectDelayMax.nanoseconds)
        return .nanoseconds(Int64.random(in: 0...bound, using: &random))
    }
}
