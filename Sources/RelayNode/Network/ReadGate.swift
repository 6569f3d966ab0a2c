internal import NIOCore
internal import Vocabulary

/// Whether one connection may read: not while the writer has more of its frames than one may have there, or more of all than it can hold, nor
/// while it rests (`ReadTurns`).
final class ReadGate {
    private let state: LoopState
    private var credit = Credit()
    /// Asked to read, and put off.
    private var held: ChannelHandlerContext?
    private var isStarved = false
    /// Bytes that came with a read and wait to be decoded.
    private var undecoded = 0
    private var turns = ReadTurns()
    private var put: Scheduled<Void>?
    /// What comes before and after is not processed, and is read without a bound of ours.
    var isOpen = false

    init(_ state: LoopState) { self.state = state }

    /// No more is to be decoded for now.
    var isFull: Bool { credit.isFull }

    /// - Returns: what the frame costs until it is processed.
    func take(frameBytes: Int) -> Int {
        let cost = credit.take(frameBytes: frameBytes)
        state.shared.inflow.add(cost)
        return cost
    }

    func giveBack(frames: Int, bytes: Int) { credit.giveBack(frames: frames, bytes: bytes) }

    /// So much of what was read waits here because `isFull`.
    func leaves(undecoded bytes: Int) {
        guard bytes != undecoded else { return }
        if bytes > undecoded { state.shared.inflow.add(bytes - undecoded) } else { state.shared.inflow.release(undecoded - bytes) }
        undecoded = bytes
    }

    func readBegins() { turns.readBegins(at: Clock.now) }
    func readEnded() { turns.readEnded(at: Clock.now) }
    func passesOver() -> Bool { turns.passesOver() }

    private var isUsedUp: Bool { credit.isUsedUp || undecoded > 0 }

    func read(_ context: ChannelHandlerContext) {
        guard isOpen else { return context.read() }
        if isUsedUp || state.shared.inflow.isFull {
            held = context
            guard !isUsedUp, !isStarved else { return }
            isStarved = true
            return state.starves(self)
        }
        let now = Clock.now
        guard let until = turns.rest(at: now, wrote: state.shared.lastWrite) else { return context.read() }
        held = context
        guard put == nil else { return }
        put = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds((until - now).nanoseconds)) {
            self.put = nil
            self.readAgain()
        }
    }

    func inflowDrained() {
        isStarved = false
        readAgain()
    }

    /// Where it was put off and may be by now.
    func readAgain() {
        guard let context = held else { return }
        held = nil
        read(context)
    }

    /// Nothing more is taken from the connection.
    func close() {
        isOpen = false
        leaves(undecoded: 0)
        put?.cancel()
        put = nil
    }

    /// The handler is gone, and its context with it.
    func removed() { held = nil }
}
