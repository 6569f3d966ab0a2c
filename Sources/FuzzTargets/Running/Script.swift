internal import Vocabulary

/// Steps in a row: a kind, a length in two bytes, and so many bytes. What is cut off ends early, so that every input is a script.
package struct Script: Sendable {
    package struct Step: Sendable {
        package let kind: UInt8
        package let bytes: [UInt8]
    }

    /// Steps of one input that are looked at: what they cost must stay under what is called a hang.
    private static let stepsMax = 48

    package var steps: [Step] = []

    init(_ steps: [(kind: UInt8, bytes: [UInt8])]) { self.steps = steps.map { Step(kind: $0.kind, bytes: $0.bytes) } }

    package init(_ input: [UInt8]) {
        var rest = input[...]
        while let kind = rest.popFirst(), steps.count < Self.stepsMax {
            let length = rest.prefix(2).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(2)
            steps.append(Step(kind: kind, bytes: Array(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
    }

    package var encoded: [UInt8] {
        steps.flatMap { step in
            let bytes = step.bytes.prefix(Int(UInt16.max))
            return [step.kind, UInt8(truncatingIfNeeded: bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)] + bytes
        }
    }
}
