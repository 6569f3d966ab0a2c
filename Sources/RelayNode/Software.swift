package enum Software {
    package static let version = "0.1.0"
    /// As other nodes see it.
    static let name = "posthouse \(version)"
}
