internal import ClientCore
internal import Cryptography
internal import Dispatch
internal import Foundation
internal import Glibc
public import Logging
internal import NIOCore
internal import NIOPosix
internal import Storage
internal import Synchronization
internal import Vocabulary

/// What a command hears while its request runs.
public enum Event: Sendable {
    case reply(Reply)
    /// The time that the command gave itself is over.
    case timedOut
    /// The process that had the profile is gone; the request is made anew, and what was told of it may be told again.
    case restarted
    /// SIGINT or SIGTERM: end cleanly.
    case interrupted
}

/// One request to a profile: carried out here if nobody has the profile, else handed to the process that does.
public final class Courier: Sendable {
    public struct Options: Sendable {
        public var location: ProfileLocation
        public var passphraseFile: String?
        public var log: Logger

        public init(location: ProfileLocation, passphraseFile: String?, log: Logger) {
            (self.location, self.passphraseFile, self.log) = (location, passphraseFile, log)
        }
    }

    /// Ends the request when true comes back.
    public typealias Handler = (Event, Session) async -> Bool

    /// What the command says back.
    public final class Session: Sendable {
        fileprivate let hand: @Sendable (Said) -> Void
        fileprivate init(hand: @escaping @Sendable (Said) -> Void) { self.hand = hand }
        /// Written and flushed: these messages are never shown again.
        public func shown(_ sequences: [Int64]) { hand(.shown(sequences)) }
        /// To a `chat` request, from any thread.
        public func say(_ word: ChatWord) { hand(.chat(word)) }
    }

    private let options: Options
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// As it was read: a pipe gives it once.
    private let knownPassphrase = Mutex<Secret?>(nil)

    public init(_ options: Options) { self.options = options }

    /// Runs the request until `handler` returns true or the owner is done.
    ///
    /// - Parameters:
    ///   - timeout: after it `handler` hears `timedOut`, once.
    ///   - heedsSignals: false for whoever handles SIGINT and SIGTERM itself, and ends the request by cancelling its task.
    public func perform(
        _ request: Request, timeout: Duration?, heedsSignals: Bool = true, handler: Handler
    ) async throws(ClientError) {
        let (events, feed) = AsyncStream.makeStream(of: Heard.self)
        let signals = heedsSignals ? Signals { feed.yield(.event(.interrupted)) } : nil
        defer { signals?.cancel() }
        if let timeout {
            group.next().scheduleTask(in: .nanoseconds(timeout.nanoseconds)) { feed.yield(.event(.timedOut)) }
        }
        var iterator = events.makeAsyncIterator()
        guard Clock.wall >= Software.madeAfter else { throw .clockWrong }
        guard options.passphraseFile == nil || options.location.isSealedByPassphrase != false else { throw .noPassphrase(options.location) }
        if case .join(let link, let handle) = request { try prepare(link: link, handle: handle) }
        guard options.location.exists else { throw .notJoined(options.location) }
        try options.location.checkMode()
        for _ in 0..<Self.attemptsMax {
            if let lock = try lock() {
                return try await own(lock, request, feed, &iterator, handler)
            }
            if try await handOver(request, feed, &iterator, handler) { return }
            _ = await handler(.restarted, Session { _ in })
            if Task.isCancelled { return }
            // Between its lock and its socket an owner is busy for some milliseconds, beginning or ending.
            try? await Task.sleep(for: .milliseconds(20))
        }
        throw .ownerSilent(options.location)
    }

    private static let attemptsMax = 500

    private enum Heard: Sendable {
        case event(Event)
        case ownerGone
        case ownerSilent
    }

    private enum Outcome {
        case done
        case ownerGone
        case ownerSilent
    }

    private func lock() throws(ClientError) -> DataFolderLock? {
        do { return try DataFolderLock(folder: options.location.folder) } catch {
            if case .inUse = error { return nil }
            throw ClientError(error)
        }
    }

    // MARK: As the owner

    private func own(
        _ lock: DataFolderLock, _ request: Request, _ feed: AsyncStream<Heard>.Continuation,
        _ iterator: inout AsyncStream<Heard>.Iterator, _ handler: Handler
    ) async throws(ClientError) {
        defer { lock.release() }
        let key = try ProfileKey.load(from: options.location, passphrase: passphrase())
        let (location, log, loop) = (options.location, options.log, group.next())
        let owner: Owner
        do {
            let made = try await loop.submit { () throws -> Owner? in
                let store = try ProfileStore.open(location, key: key)
                guard let snapshot = try store.snapshot() else { return nil }
                return Owner(store: store, snapshot: snapshot, loop: loop, log: log)
            }.get()
            guard let made else { throw ClientError.notJoined(location) }
            owner = made
        } catch let error as StoreError {
            if case .unusable = error { throw .wrongKey(location) }
            throw ClientError(error)
        } catch let error as ClientError {
            throw error
        } catch { throw ClientError(.inputOutput, what: "The profile cannot be opened.", why: "\(error)", remedy: "Check the folder.") }
        let place = HandoverSocket.Place(folder: location.folder)
        let socket = if let place { try? await HandoverSocket.serve(owner, at: place, on: loop) } else { nil as (any Channel)? }
        let job = try? await loop.submit { owner.begin(request) { feed.yield(.event(.reply($0))) } }.get()
        let session = Session { said in
            loop.execute { if let job { owner.hear(said, from: job) } }
        }
        _ = await listen(session, &iterator, isHandedOver: false, handler)
        if let place { _ = unlink(place.path) }
        try? await socket?.close()
        // What the last answers set off (a message shown, an acknowledgement) is done before the loop comes to this.
        try? await owner.windDown(after: job).get()
        try? await owner.stop().get()
        place?.close()
    }

    private func passphrase() throws(ClientError) -> Secret? {
        guard let file = options.passphraseFile ?? ProcessInfo.processInfo.environment["COURIER_PASSPHRASE_FILE"] else { return nil }
        if let known = knownPassphrase.withLock({ $0 }) { return known }
        var bytes = try Self.contents(ofPassphraseFile: file)
        defer { wipe(&bytes) }
        while let last = bytes.last, last == 10 || last == 13 { bytes.removeLast() }
        guard !bytes.isEmpty else {
            throw ClientError(
                .configuration, what: "The passphrase file \(file) is empty.", why: "An empty passphrase protects nothing.",
                remedy: "Write one into it.")
        }
        let passphrase = Secret(consuming: &bytes)
        knownPassphrase.withLock { $0 = passphrase }
        return passphrase
    }

    /// Far more than anybody types: a disk that is named by mistake is not read to its end.
    private static let passphraseBytesMax = 64 * 1024

    /// To its end, be it a file or a pipe.
    private static func contents(ofPassphraseFile path: String) throws(ClientError) -> [UInt8] {
        func unreadable(_ code: Int32) -> ClientError {
            ClientError(
                .configuration, what: "The passphrase file \(path) cannot be read.", why: String(cString: strerror(code)),
                remedy: "Check its name, owner and mode.")
        }
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard file >= 0 else { throw unreadable(errno) }
        defer { _ = close(file) }
        var (bytes, part) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
        defer { wipe(&part) }
        while true {
            let count = read(file, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(errno) }
            guard count > 0 else { return bytes }
            bytes += part[..<count]
            guard bytes.count <= passphraseBytesMax else {
                throw ClientError(
                    .configuration, what: "The passphrase file \(path) is too long.", why: "It has more than \(passphraseBytesMax) bytes.",
                    remedy: "Name a file that holds the passphrase and nothing else.")
            }
        }
    }

    // MARK: By the owner

    /// - Returns: false when nobody answered or the owner went away before it was done: the request is to be made anew.
    private func handOver(
        _ request: Request, _ feed: AsyncStream<Heard>.Continuation, _ iterator: inout AsyncStream<Heard>.Iterator, _ handler: Handler
    ) async throws(ClientError) -> Bool {
        guard let place = HandoverSocket.Place(folder: options.location.folder) else { return false }
        defer { place.close() }
        let channel = await HandoverSocket.ask(request, at: place, on: group.next()) { answer in
            switch answer {
            case .reply(let reply): feed.yield(.event(.reply(reply)))
            case .silence: feed.yield(.ownerSilent)
            case .end: feed.yield(.ownerGone)
            }
        }
        guard let channel else { return false }
        let session = Session { HandoverSocket.say($0, on: channel) }
        let outcome = await listen(session, &iterator, isHandedOver: true, handler)
        if outcome == .ownerSilent {
            // One that is stopped reads nothing: there is no use in waiting until the last words are out.
            channel.close(promise: nil)
            throw .ownerSilent(options.location)
        }
        // What was said last is on its way before the end is.
        _ = try? await channel.writeAndFlush(channel.allocator.buffer(capacity: 0)).get()
        try? await channel.close()
        return outcome == .done
    }

    /// - Parameter isHandedOver: the owner is another process, and may be stopped.
    private func listen(
        _ session: Session, _ iterator: inout AsyncStream<Heard>.Iterator, isHandedOver: Bool, _ handler: Handler
    ) async -> Outcome {
        var hasAnswered = !isHandedOver
        while let heard = await iterator.next() {
            switch heard {
            case .ownerGone: return .ownerGone
            case .ownerSilent: return .ownerSilent
            case .event(.reply(.done)): return .done
            case .event(.reply(.working)): hasAnswered = true
            // Nobody has taken the request up: whatever was to be waited for, that is why it did not come.
            case .event(.timedOut) where !hasAnswered, .event(.interrupted) where !hasAnswered: return .ownerSilent
            case .event(let event):
                if await handler(event, session) { return .done }
            }
        }
        return .done
    }

    // MARK: A new profile

    /// Makes folder, key and account, if this is not the repeat of a joining that was cut short.
    private func prepare(link text: String, handle: String) throws(ClientError) {
        guard let link = InvitationLink(text) else {
            throw ClientError(
                .data, what: "That is no invitation link.", why: "A link looks like https://HOST:PORT/i/SECRET#NODEKEY.",
                remedy: "Copy the whole link, in quotes: courier join 'LINK' --handle NAME")
        }
        let wanted: Handle
        do { wanted = try Handle(handle) } catch { throw ClientError(.data, error.explanation) }
        let location = options.location
        try location.checkMode()
        try ProfileKey.make(in: location, passphrase: passphrase())
        guard let lock = try lock() else {
            throw ClientError(
                .unavailable, what: "The profile \(location.folder) is in use.", why: "Another courier process has it.",
                remedy: "Name another profile with --profile, or stop the other process.")
        }
        defer { lock.release() }
        let key = try ProfileKey.load(from: location, passphrase: passphrase())
        do {
            let store = try ProfileStore.open(location, key: key)
            defer { store.close() }
            if let account = try store.account() {
                if account.endpoint == link.endpoint, account.home == link.node, account.handle == wanted { return }
                guard case .registering = account.stage else {
                    throw ClientError(
                        .data, what: "The profile \(location.folder) belongs to \(account.address.map { "\($0)" } ?? "\(account.handle)").",
                        why: "A profile holds one user.", remedy: "Name another profile: --profile NAME")
                }
            }
            var random = SystemRandom()
            try store.commit([.account(Account(link: link, handle: wanted, using: &random))])
        } catch let error as StoreError {
            if case .unusable = error { throw .wrongKey(location) }
            throw ClientError(error)
        } catch let error as ClientError {
            throw error
        } catch { throw ClientError(.inputOutput, what: "The profile cannot be made.", why: "\(error)", remedy: "Check the folder.") }
    }
}

extension ClientError {
    static func notJoined(_ location: ProfileLocation) -> ClientError {
        ClientError(
            .configuration, what: "There is no profile in \(location.folder).", why: "Nobody has joined a node with it.",
            remedy: "Run: courier join LINK --handle NAME (or name a profile with --profile)")
    }

    /// TLS ends a process whose clock is before 1970; after that, what was written is shown with a time that is wrong.
    static let clockWrong = ClientError(
        .configuration, what: "The clock is wrong.", why: "It says a time before this program was made.",
        remedy: "Set it, for example with `timedatectl set-ntp true`.")

    static func noPassphrase(_ location: ProfileLocation) -> ClientError {
        ClientError(
            .usage, what: "The profile \(location.folder) has no passphrase.",
            why: "It was made without one: its key is in \(location.keyFile).",
            remedy: "Leave --passphrase-file out, or name another profile with --profile.")
    }

    /// What was handed to it is read if it ever goes on.
    static func ownerSilent(_ location: ProfileLocation) -> ClientError {
        ClientError(
            .unavailable, what: "The courier process that has the profile does not answer: it is not known what comes of this.",
            why: "It is \(DataFolderLock.holder(of: location.folder)), and it is stopped or stuck.",
            remedy:
                "Let it go on, or end it. If it goes on it may still do what was asked: look before you ask again (courier history, courier outbox)."
        )
    }

    static func wrongKey(_ location: ProfileLocation) -> ClientError {
        ClientError(
            .permission, what: "The profile \(location.folder) does not open.",
            why: "The passphrase or key file is not the one it was made with.",
            remedy: "Check --passphrase-file, or restore profile.key from a backup.")
    }
}

/// SIGINT and SIGTERM as events, so that a command ends after what it is doing is on disk.
private final class Signals: Sendable {
    // Made in `init`, cancelled once: no access is concurrent.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    init(_ onSignal: @escaping @Sendable () -> Void) {
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler(handler: onSignal)
            source.resume()
            return source
        }
    }

    func cancel() {
        for source in sources { source.cancel() }
        for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
    }
}
