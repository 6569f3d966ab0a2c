public import ArgumentParser
internal import Foundation
internal import Glibc
internal import Vocabulary

/// What a program does before its command runs, and when that has failed.
public enum ProgramRun {
    /// First of all, before anything is opened.
    public static func prepare() {
        StandardStreams.open()
        raiseDescriptorLimit()
        checkArguments()
    }

    /// As `ParsableArguments.exit(withError:)`, but what it quotes is harmless to a terminal, and help that could not be written is no success.
    public static func end<Command: ParsableCommand>(_ command: Command.Type, with error: any Error) -> Never {
        let (code, text) = (command.exitCode(for: error), command.fullMessage(for: error))
        if !text.isEmpty { code.isSuccess ? StandardStreams.say(text) : StandardStreams.complain(text) }
        exit(code.rawValue)
    }

    /// What a program has open with nobody connected, and some to spare: event loops have three each, and there is at most one of them for two
    /// processors.
    private static var descriptorsMin: rlim_t { 64 + 2 * rlim_t(ProcessInfo.processInfo.activeProcessorCount) }

    /// A connection is a file: as many as the system allows, since its usual soft limit of 1,024 is far below `Limits.sessionsMax`.
    private static func raiseDescriptorLimit() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        guard limit.rlim_cur < descriptorsMin else { return }
        fail(
            Explanation(
                what: "There are too few file descriptors.", why: "The limit is \(limit.rlim_cur); \(descriptorsMin) are needed at least.",
                remedy: "Raise it: `ulimit -n 1024` in a shell, LimitNOFILE= in a unit of systemd."), 78)
    }

    /// `CommandLine.arguments` replaces what is no UTF-8: a message would be sent altered, and another file be used than was named.
    private static func checkArguments() {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let bytes = CommandLine.unsafeArgv[index], String(validatingCString: bytes) == nil else { continue }
            fail(
                Explanation(
                    what: "Argument \(index) cannot be read.", why: "It is not UTF-8: \(String(cString: bytes))",
                    remedy: "Convert it, for example with iconv."), 64)
        }
    }

    private static func fail(_ explanation: Explanation, _ code: Int32) -> Never {
        StandardStreams.complain(explanation.description)
        exit(code)
    }
}
