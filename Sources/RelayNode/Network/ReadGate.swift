internal import NIOCore

/// Whether one connection may read: not while the writer has more of its frames than one may have there, or more of all than it can hold.
final class ReadGate {
    private let state: LoopState
    private var credit = Credit()
    /// Asked to read, and put off.
    private var held: ChannelHandlerContext?
    private var isStarved = false
    /// What comes before and after is not processed, and is read without a bound of ours.
    var isOpen = false

    init(_ state: LoopState) { self.state = state }

    /// - Returns: what the frame costs until it is processed.
    func take(frameBytes: Int) -> Int {
        let cost = credit.take(frameBytes: frameBytes)
        state.shared.inflow.add(cost)
        return cost
    }

    func processed(frames: Int, bytes: Int) {
        credit.giveBack(frames: frames, bytes: bytes)
        if !credit.isUsedUp { readAgain() }
    }

    func read(_ context: ChannelHandlerContext) {
        guard isOpen, credit.isUsedUp || state.shared.inflow.isFull else { return context.read() }
        held = context
        guard !credit.isUsedUp, !isStarved else { return }
        isStarved = true
        state.starves(self)
    }

    func inflowDrained() {
        isStarved = false
        readAgain()
    }

    func readAgain() {
        guard let context = held else { return }
        held = nil
        read(context)
    }

    /// The handler is gone, and its context with it.
    func removed() { held = nil }
}
