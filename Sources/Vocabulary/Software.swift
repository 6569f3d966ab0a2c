/// What this program calls itself, to people and to other nodes.
public enum Software {
    public static let version = "0.1.0"
    public static let name = "posthouse \(version)"
}
