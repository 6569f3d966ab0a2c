internal import Cryptography
internal import Synchronization
package import Vocabulary

/// A hub that lies to some devices of one conversation: rewrites what they hear, with the chain made to fit, as only the hub can. The core
/// behind it is the real one. For tests: in the simulator, and behind a real node's shell (`lying-node`).
package final class Liar: Sendable {
    package enum Lie: String, Sendable, CaseIterable {
        /// The first event leaves its place to the next.
        case drop
        /// The first two in the other order: a fork, as others hear them in the right one.
        case swap
        case `repeat`
        /// The payload of a message of the past under a new number.
        case altered
        /// The first event never comes; what follows keeps its number.
        case gap
        /// The first event never comes, nor does anything after it.
        case silence
        case foreignSender
        /// A watermark that its device did not sign.
        case forgedReceipt
        /// In place of the first event: a commit that nobody in the group has made (`Ghost`).
        case ghost
    }

    private struct State {
        var begun = false
        /// What comes through here is told as it is.
        var after: SequenceNumber?
        var held: Envelope?
        var missing: SequenceNumber?
        var chain: Digest?
        var last: Envelope?
        /// Behind the last event that was told as it is.
        var honest: Digest?
    }

    private let states = Mutex<[DeviceID: State]>([:])
    package let lie: Lie
    private let conversation: ConversationID?
    private let start: (number: SequenceNumber, chain: Digest)?
    private let isVictim: @Sendable (DeviceID) -> Bool
    private let ghost: @Sendable (Envelope, Digest) -> Ghost?

    /// - Parameters:
    ///   - conversation: nil: any; there should be one only.
    ///   - start: what comes through this number is told as it is, and the conversation's chain there; nil: the first event is told as it is.
    ///   - ghost: what to put in an event's place, given the chain before it.
    package init(
        _ lie: Lie, in conversation: ConversationID? = nil, after start: (number: SequenceNumber, chain: Digest)? = nil,
        ghost: @escaping @Sendable (Envelope, Digest) -> Ghost? = { _, _ in nil }, to isVictim: @escaping @Sendable (DeviceID) -> Bool
    ) {
        (self.lie, self.conversation, self.start) = (lie, conversation, start)
        (self.isVictim, self.ghost) = (isVictim, ghost)
    }

    /// - Returns: what the device is told in the frame's place.
    package func tell(_ device: DeviceID, _ frame: NodeFrame) -> [NodeFrame] {
        guard isVictim(device), case .entry(let position, let item) = frame, concerns(item) else { return [frame] }
        return states.withLock { states in
            var state = states[device] ?? State(after: start?.number, honest: start?.chain)
            defer { states[device] = state }
            switch item {
            case .event(let envelope):
                guard let after = state.after, envelope.number > after else {
                    (state.after, state.honest, state.last) = (envelope.number, envelope.chain, envelope)
                    return [frame]
                }
                return hear(envelope, by: device, &state).map { .entry(position, .event($0)) }
            case .accepted(let acceptance):
                guard let after = state.after, acceptance.number > after else {
                    (state.after, state.honest) = (acceptance.number, acceptance.chain)
                    return [frame]
                }
                if !state.begun { state.honest = acceptance.chain }
                return state.begun ? [] : [frame]
            case .watermark(let mark) where lie == .forgedReceipt: return [.entry(position, .watermark(forged(mark)))]
            default: return [frame]
            }
        }
    }

    private func concerns(_ item: DeviceItem) -> Bool {
        let key: ConversationKey? =
            switch item {
            case .event(let envelope): envelope.key
            case .accepted(let acceptance): acceptance.key
            case .watermark(let mark): mark.key
            default: nil
            }
        return key.map { conversation == nil || $0.conversation == conversation } ?? false
    }

    private func forged(_ mark: Watermark) -> Watermark {
        Watermark(key: mark.key, device: mark.device, through: mark.through.next, chain: mark.chain, signature: mark.signature)
    }

    /// The event as it is but for what is given, under the chain that the victim was told.
    private func told(
        _ envelope: Envelope, number: SequenceNumber, sender: RosterEntry? = nil, kind: EventKind? = nil, payload: [UInt8]? = nil,
        _ state: inout State
    ) -> Envelope {
        let (payload, sender, kind) = (payload ?? envelope.payload, sender ?? envelope.sender, kind ?? envelope.kind)
        let chain = Chain.next(
            after: state.chain ?? envelope.chain, number: number, sender: sender, message: envelope.message, kind: kind,
            epoch: envelope.epoch, payload: payload)
        state.chain = chain
        return Envelope(
            key: envelope.key, number: number, sender: sender, message: envelope.message, kind: kind, epoch: envelope.epoch,
            payload: payload, chain: chain)
    }

    private func hear(_ envelope: Envelope, by device: DeviceID, _ state: inout State) -> [Envelope] {
        let isFirst = !state.begun
        if isFirst { state.chain = state.honest }
        defer {
            state.last = envelope
            if !state.begun { state.honest = envelope.chain }
        }
        let before = SequenceNumber(unchecked: envelope.number.value - 1)
        switch lie {
        case .gap:
            state.begun = true
            if isFirst { state.missing = envelope.number }
            return envelope.number == state.missing ? [] : [envelope]
        case .silence:
            state.begun = true
            return []
        case .drop:
            state.begun = true
            return isFirst ? [] : [told(envelope, number: before, &state)]
        case .swap:
            state.begun = true
            if isFirst {
                state.held = envelope
                return []
            }
            guard let held = state.held else { return [told(envelope, number: envelope.number, &state)] }
            state.held = nil
            let first = told(envelope, number: held.number, &state)
            return [first, told(held, number: envelope.number, &state)]
        case .repeat:
            guard isFirst else { return [told(envelope, number: envelope.number.next, &state)] }
            guard let last = state.last else { return [envelope] }
            state.begun = true
            let again = told(last, number: envelope.number, &state)
            return [again, told(envelope, number: envelope.number.next, &state)]
        case .altered:
            guard isFirst, let last = state.last else { return [envelope] }
            state.begun = true
            return [
                Envelope(
                    key: envelope.key, number: envelope.number, sender: envelope.sender, message: envelope.message, kind: envelope.kind,
                    epoch: envelope.epoch, payload: last.payload, chain: envelope.chain)
            ]
        case .foreignSender:
            guard isFirst, let last = state.last, last.sender != envelope.sender, last.sender.device != device else { return [envelope] }
            state.begun = true
            return [told(envelope, number: envelope.number, sender: last.sender, &state)]
        case .ghost:
            guard isFirst, let honest = state.honest, let ghost = ghost(envelope, honest) else { return state.begun ? [] : [envelope] }
            state.begun = true
            return [told(envelope, number: envelope.number, sender: ghost.sender, kind: .commit, payload: ghost.commit, &state)]
        case .forgedReceipt: return [envelope]
        }
    }
}
