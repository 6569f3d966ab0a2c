/// What people are told: what happened, why, and what to do about it.
public struct Explanation: Equatable, Sendable, CustomStringConvertible {
    public let what, why, remedy: String

    public init(what: String, why: String, remedy: String) {
        (self.what, self.why, self.remedy) = (what, why, remedy)
    }

    public var description: String { "\(what)\nwhy: \(why)\nremedy: \(remedy)" }
}

/// An error that can say what, why and remedy.
public protocol Explained: Error, Sendable {
    var explanation: Explanation { get }
}
