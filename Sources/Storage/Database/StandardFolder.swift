internal import Foundation
internal import Glibc

/// Where a program keeps its data unless told otherwise (XDG Base Directory Specification).
public enum StandardFolder {
    /// `$XDG_DATA_HOME/NAME`, or `~/.local/share/NAME`. Without a HOME it is that of the account: never the folder in which the program
    /// happens to be started.
    public static func data(_ name: String) -> String {
        let environment = ProcessInfo.processInfo.environment
        func folder(_ variable: String) -> String? { environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil } }
        return "\(folder("XDG_DATA_HOME") ?? "\(folder("HOME") ?? accountHome)/.local/share")/\(name)"
    }

    private static var accountHome: String { getpwuid(getuid()).map { String(cString: $0.pointee.pw_dir) } ?? "/nonexistent" }
}
