/// One place where bytes from others come in, and what must hold whatever they are.
package protocol FuzzTarget {
    /// Honest inputs to begin with, made by the real encoders.
    var seeds: [[UInt8]] { get }
    /// Whether inputs are `Script`s: then whole steps are exchanged too.
    var takesScripts: Bool { get }
    /// - Returns: whether it got past decoding, so that a run can tell that it reached something.
    /// - Throws: `Finding` for a promise that does not hold. A trap is a finding too.
    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool
}

extension FuzzTarget {
    package var takesScripts: Bool { false }
}

/// A promise that an input has broken.
package struct Finding: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// - Throws: a finding, unless it holds.
func promise(_ holds: Bool, _ text: @autoclosure () -> String) throws(Finding) {
    guard holds else { throw Finding(text()) }
}

/// All targets, by the names that `workbench fuzz` and `make fuzz` take.
package enum FuzzTargets {
    package static let all: [(name: String, make: @Sendable () throws -> any FuzzTarget)] = [
        ("client-frame", { try FrameTargets.client() }),
        ("node-frame", { try FrameTargets.node() }),
        ("link-frame", { try FrameTargets.link() }),
        ("record", { try RecordTargets.records() }),
        ("statement", { try RecordTargets.statements() }),
        ("name", { try RecordTargets.names() }),
        ("text", { TextTarget() }),
        ("negentropy", { try NegentropyTarget() }),
        ("content", { try ContentTargets.content() }),
        ("mls", { try GroupTarget() }),
        ("journal", { try StoredTargets.journal() }),
        ("node-row", { try NodeRowTarget() }),
        ("profile-row", { try StoredTargets.profile() }),
        ("settings", { SettingsTargets.configuration() }),
        ("admin", { SettingsTargets.admin() }),
        ("handover", { HandoverTarget() }),
        ("framing", { try FramingTarget() }),
        ("screen", { ScreenTarget() }),
        ("node", { try NodeTarget() }),
        ("device", { try DeviceTarget() }),
    ]

    package static func make(_ name: String) throws -> (any FuzzTarget)? { try all.first { $0.name == name }?.make() }
}
