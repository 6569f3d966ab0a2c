/// What this program calls itself, to people and to other nodes.
public enum Software {
    public static let version = "0.1.0"
    public static let name = "posthouse \(version)"
    /// It was made after this moment: a clock that says less is wrong. Queue positions, tickets and KeyPackages would be judged by it, and
    /// TLS ends a process whose clock is before 1970.
    public static let madeAfter = Timestamp(milliseconds: 1_763_000_000_000)
}
