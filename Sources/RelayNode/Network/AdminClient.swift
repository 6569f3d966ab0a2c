package import Vocabulary

/// Asks a running node over its admin socket. Blocking: for commands.
package struct AdminClient: Sendable {
    package let path: String
    package init(dataFolder: String) throws { path = try AdminSocket.path(dataFolder: dataFolder) }
    /// - Throws: `AdminClientError.notRunning` when nothing listens.
    package func request(_ method: String, _ path: String, body: [UInt8] = [], timeout: Duration = .seconds(30)) throws -> (
        status: Int, body: [UInt8]
    ) { fatalError("under way") }
}
package enum AdminSocket {
    /// Where the admin socket of a data folder is; the same on both sides. Short enough for `sun_path`.
    package static func path(dataFolder: String) throws -> String { fatalError("under way") }
}
