internal import ChatScreen
internal import Foundation

/// Signals as bytes in the loop's pipe. Those of a crash, after which nothing can be relied on, restore the terminal at once.
///
/// A handler may use only what is safe at any point of the program: memory that was set before, `write`, `pread`, `tcsetattr`, `raise`.
struct ChatSignals {
    static let asking = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    private static let telling = [SIGWINCH, SIGCONT, SIGTSTP]
    private static let crashes = [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT]

    private var before: [(Int32, sigaction)] = []

    init(wake: Int32, modes: TerminalModes, errors: ErrorShelter?, guardian: TerminalGuard?) {
        let leave = Array(TerminalWriter.leave.utf8)
        let found = modes.bytes
        // Never freed: a handler may run until the process ends.
        let block = UnsafeMutableRawPointer.allocate(byteCount: found.count + leave.count, alignment: MemoryLayout<termios>.alignment)
        block.copyMemory(from: found, byteCount: found.count)
        (block + found.count).copyMemory(from: leave, byteCount: leave.count)
        (handlerWake, handlerBlock, handlerLeaveCount) = (wake, block, leave.count)
        handlerBuffer = .allocate(byteCount: ErrorShelter.bytesMax, alignment: 1)
        if let guardian { handlerGuard = guardian.pipe }
        if let errors { (handlerErrors, handlerTerminal) = (errors.kept, errors.terminal) }
        // A guard that is gone is no reason to die.
        var (ignore, old) = (sigaction(), sigaction())
        ignore.__sigaction_handler.sa_handler = SIG_IGN
        if sigaction(SIGPIPE, &ignore, &old) == 0 { before.append((SIGPIPE, old)) }
        // A stack of its own, for a crash that is a full stack; on the thread of the loop.
        let size = 64 * 1024
        var stack = stack_t(ss_sp: .allocate(byteCount: size, alignment: 16), ss_flags: 0, ss_size: size)
        sigaltstack(&stack, nil)
        for number in Self.asking + Self.telling { install(number, tellLoop, flags: SA_RESTART) }
        for number in Self.crashes { install(number, restoreAndDie, flags: Int32(bitPattern: UInt32(SA_ONSTACK) | UInt32(SA_RESETHAND))) }
    }

    private mutating func install(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void, flags: Int32) {
        var (action, old) = (sigaction(), sigaction())
        action.__sigaction_handler.sa_handler = handler
        action.sa_flags = flags
        if sigaction(number, &action, &old) == 0 { before.append((number, old)) }
    }

    func cancel() {
        for (number, old) in before {
            withUnsafePointer(to: old) { _ = sigaction(number, $0, nil) }
        }
    }
}

// Set once, before the first handler is installed; read by handlers only. Plain values, so that no handler runs an initialiser.
private nonisolated(unsafe) var handlerWake: Int32 = -1
private nonisolated(unsafe) var handlerBlock: UnsafeMutableRawPointer?
private nonisolated(unsafe) var handlerLeaveCount = 0
private nonisolated(unsafe) var handlerBuffer: UnsafeMutableRawPointer?
private nonisolated(unsafe) var handlerGuard: Int32 = -1
private nonisolated(unsafe) var handlerErrors: Int32 = -1
private nonisolated(unsafe) var handlerTerminal: Int32 = -1

private func tellLoop(_ number: Int32) {
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(handlerWake, &byte, 1)
    errno = saved
}

private func restoreAndDie(_ number: Int32) {
    if let block = handlerBlock {
        _ = write(1, block + MemoryLayout<termios>.size, handlerLeaveCount)
        _ = tcsetattr(0, TCSANOW, block.assumingMemoryBound(to: termios.self))
    }
    var byte: UInt8 = 1
    if handlerGuard >= 0 { _ = write(handlerGuard, &byte, 1) }
    // What the runtime said about it before: the last words are the ones that matter.
    if let buffer = handlerBuffer, handlerErrors >= 0 {
        let start = lseek(handlerErrors, 0, SEEK_END) - off_t(ErrorShelter.bytesMax)
        let count = pread(handlerErrors, buffer, ErrorShelter.bytesMax, start > 0 ? start : 0)
        if count > 0 { _ = write(handlerTerminal, buffer, count) }
    }
    signal(number, SIG_DFL)
    raise(number)
}
