internal import ChatScreen
internal import Foundation
internal import Vocabulary

/// The loop of `courier chat`: waits for keys, signals and updates, tells the screen, does what it says, and draws once.
///
/// One thread does all of it. It may block while the terminal takes nothing; the client goes on meanwhile.
final class ChatTerminal {
    /// A lone Escape is known after this long without a byte; a paste without an end is given up later.
    private static let escapeMilliseconds: Int32 = 50
    private static let pasteMilliseconds: Int32 = 2_000
    /// After this long without a key others are told that nobody types.
    private static let idleMilliseconds: Int32 = 5_000

    private let backend: any ChatBackend
    private let modes: TerminalModes
    private let inbox: ChatInbox
    private let wakeRead: Int32, wakeWrite: Int32
    private var screen: Screen
    private var writer = TerminalWriter(looks: TerminalModes.looks)
    private var decoder = KeyDecoder()
    private var isIdle = true
    private var lastKey = ContinuousClock.now
    private var guardian: TerminalGuard?
    private var needsDrawing = true
    private var end: ChatEnd?

    private init?(_ backend: any ChatBackend) {
        guard let modes = TerminalModes(), let ends = closedOnExecPipe() else { return nil }
        for end in [ends.read, ends.write] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        (self.backend, self.modes, wakeRead, wakeWrite) = (backend, modes, ends.read, ends.write)
        inbox = ChatInbox(wake: ends.write)
        let size = TerminalModes.size
        screen = Screen(columns: size.columns, rows: size.rows, isUTF8: TerminalModes.isUTF8)
    }

    /// Runs until the user, a signal or the client ends it; the terminal is then as it was.
    ///
    /// - Parameter guardArguments: with which this program stands guard over the terminal (`TerminalGuard.stand`).
    /// - Returns: nil if there is no terminal.
    static func run(_ backend: any ChatBackend, guardArguments: [String]) async -> ChatEnd? {
        await withCheckedContinuation { continuation in
            let thread = Thread { continuation.resume(returning: ChatTerminal(backend)?.run(guardArguments)) }
            thread.stackSize = 4 * 1024 * 1024
            thread.start()
        }
    }

    private func run(_ guardArguments: [String]) -> ChatEnd {
        guardian = TerminalGuard(modes, arguments: guardArguments)
        let errors = ErrorShelter()
        let signals = ChatSignals(wake: wakeWrite, modes: modes, errors: errors, guardian: guardian)
        enter()
        backend.begin(inbox)
        backend.perform(.start)
        while end == nil {
            if needsDrawing { draw() }
            errors?.trim()
            wait()
        }
        leave()
        signals.cancel()
        guardian?.dismiss()
        errors?.release()
        return end ?? .quit
    }

    private func draw() {
        needsDrawing = false
        let bytes = writer.update(to: screen.render())
        if !bytes.isEmpty { TerminalModes.write(bytes) }
    }

    // MARK: Waiting

    private func wait() {
        var sources = [pollfd(fd: 0, events: Int16(POLLIN), revents: 0), pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0)]
        let patience: Int32? =
            switch decoder.awaited {
            case .sequence: Self.escapeMilliseconds
            case .paste: Self.pasteMilliseconds
            case .nothing: isIdle ? nil : Self.idleMilliseconds
            }
        // Counted from the last key: updates that come meanwhile lengthen nothing.
        let left = patience.map { max(0, $0 - Int32(clamping: (ContinuousClock.now - lastKey).milliseconds)) }
        let count = poll(&sources, 2, left ?? -1)
        if count == 0 || left == 0, sources[0].revents == 0 { gaveUp() }
        guard count > 0 else { return }
        if sources[1].revents != 0 { woken() }
        if sources[0].revents != 0, end == nil { readKeys() }
    }

    /// No key came for as long as one was waited for.
    private func gaveUp() {
        lastKey = .now
        let given = decoder.giveUp()
        for event in given { handle(.key(event)) }
        guard given.isEmpty else { return }
        isIdle = true
        handle(.idled)
    }

    private func readKeys() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(0, &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        // The terminal is gone.
        guard count > 0 else {
            end = .signal(SIGHUP)
            return
        }
        (isIdle, lastKey) = (false, .now)
        for event in decoder.decode(buffer.prefix(count)) {
            handle(.key(event))
            if end != nil { return }
        }
    }

    /// Signals are bytes of their numbers, updates are zeros.
    private func woken() {
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = read(wakeRead, &buffer, buffer.count)
        guard count > 0 else { return }
        for byte in Set(buffer.prefix(count)).sorted() where byte != 0 { signalled(Int32(byte)) }
        let taken = inbox.take()
        if !taken.updates.isEmpty { handle(.told(taken.updates)) }
        if taken.isIncomplete { startAnew() }
        if taken.isClosed, end == nil { end = .quit }
    }

    private func startAnew() {
        backend.perform(.start)
        if let shown = screen.shownConversation { backend.perform(.open(shown)) }
    }

    private func signalled(_ number: Int32) {
        switch number {
        case SIGWINCH: resize()
        case SIGTSTP: suspend()
        case SIGCONT: resume()
        default: end = .signal(number)
        }
    }

    private func resize() {
        let size = TerminalModes.size
        handle(.resized(columns: size.columns, rows: size.rows))
    }

    // MARK: Acting

    private func handle(_ input: ScreenInput) {
        for action in screen.handle(input) {
            switch action {
            case .ask(let request): backend.perform(request)
            case .draw: needsDrawing = true
            case .redraw:
                writer.forget()
                needsDrawing = true
            case .suspend: suspend()
            case .quit: end = .quit
            }
        }
    }

    /// Gives the terminal back and stops this process, as Control-Z does with any other; returns when it goes on.
    private func suspend() {
        leave()
        // To this very thread: it does not go on before the process is stopped.
        raise(SIGSTOP)
        resume()
    }

    /// Whoever had the terminal meanwhile may have left anything on it. In the background there is nothing to go on with.
    private func resume() {
        while tcgetpgrp(0) > 0, tcgetpgrp(0) != getpgrp() { raise(SIGSTOP) }
        enter()
        writer.forget()
        needsDrawing = true
        resize()
    }

    private func enter() {
        guardian?.tell(isRestored: false)
        modes.enter()
    }

    private func leave() {
        modes.leave()
        guardian?.tell(isRestored: true)
    }
}
