package import Cryptography

/// A run without instrumentation: one seed is one run, on every machine.
package struct FuzzRun {
    package struct Report: Sendable {
        package var inputs = 0
        /// Those that got past decoding.
        package var understood = 0
        package var slowest = Duration.zero
        package var finding: (input: [UInt8], what: Finding)?
    }

    /// An input that takes longer hangs what takes it.
    package static let hang = Duration.seconds(1)

    private var target: any FuzzTarget
    private let mutator: Mutator
    private var random: SeededGenerator
    /// Told of each input before it is taken, so that one that traps can be kept.
    private let willTake: ([UInt8]) -> Void

    package init(_ target: any FuzzTarget, seed: UInt64, willTake: @escaping ([UInt8]) -> Void = { _ in }) {
        (self.target, self.willTake) = (target, willTake)
        mutator = Mutator(target)
        random = SeededGenerator(seed: seed)
    }

    /// Ends at the first finding.
    package mutating func run(_ count: Int, goesOn: () -> Bool = { true }) -> Report {
        var report = Report()
        while report.inputs < count, goesOn() {
            let input = mutator.next(using: &random)
            willTake(input)
            report.inputs += 1
            let clock = ContinuousClock()
            let start = clock.now
            do throws(Finding) {
                if try target.take(input) { report.understood += 1 }
            } catch {
                report.finding = (input, error)
                return report
            }
            let time = clock.now - start
            report.slowest = max(report.slowest, time)
            if time > Self.hang {
                report.finding = (input, Finding("it takes \(time)"))
                return report
            }
        }
        return report
    }
}
