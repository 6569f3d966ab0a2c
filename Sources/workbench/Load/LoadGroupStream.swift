internal import Cryptography
internal import Glibc
internal import NIOCore
internal import Synchronization
internal import Vocabulary

/// One member of a group writes, the others acknowledge, and none of them has a device's logic.
final class LoadGroupStream {
    private let crowd: LoadGroupCrowd
    private let sender: LoadGroupMember
    private let window: Int

    init(_ crowd: LoadGroupCrowd, from sender: LoadGroupMember, window: Int) {
        (self.crowd, self.sender, self.window) = (crowd, sender, window)
    }

    /// - Throws: when a message fails, or nothing comes any more.
    func run(messages: Int, bytes: Int, _ report: inout LoadReport) throws {
        let (counts, others) = (Counts(), crowd.members.count - 1)
        // Of the present epoch: whoever would begin another is a voice in a moment.
        let last = try crowd.send(from: sender, bytes: bytes)
        try crowd.wait("ready to be streamed", until: others) { $0.arrivals[last] ?? 0 }
        for member in crowd.members {
            let isVoice = try member.loop.submit { member.becomeVoice { counts.heard($0) } }.wait()
            guard isVoice else { throw LoadFailure("a member has lost its session") }
        }
        let costs = crowd.federation.nodes.map { LoadCost($0.process) }
        let start = LoadClock.now
        begin(messages: messages, others: others, counts)
        try crowd.wait("streamed", until: messages * others) { _ in
            counts.failed.load(ordering: .acquiring) > 0 ? messages * others : counts.received.load(ordering: .acquiring)
        }
        guard counts.failed.load(ordering: .acquiring) == 0 else { throw LoadFailure("messages of the stream failed") }
        let seconds = LoadGroupCrowd.seconds(LoadClock.now - start)
        try crowd.wait("streamed and delivered", until: messages) { _ in counts.delivered.load(ordering: .acquiring) }
        // Removing what was delivered is part of a message's cost.
        sleep(2)
        let deliveries = Double(messages * others)
        report.add("stream_messages", messages)
        report.add("stream_deliveries_per_s", deliveries / seconds)
        report.add("stream_server_us_per_delivery", Double(costs.reduce(0) { $0 + $1.server }) / deliveries)
        if let one = costs.first { report.add("stream_generator_us_per_delivery", Double(one.generator) / deliveries) }
    }

    /// As many as the window allows, and more as they arrive.
    private func begin(messages: Int, others: Int, _ counts: Counts) {
        let (sender, window) = (sender, window)
        let voice = Voice(random: SeededGenerator(seed: crowd.random.next()))
        sender.loop.scheduleRepeatedTask(initialDelay: .zero, delay: .microseconds(500)) { task in
            while voice.sent < messages, voice.sent - counts.received.load(ordering: .acquiring) / others < window {
                guard sender.say(using: &voice.random) else { return task.cancel() }
                voice.sent += 1
            }
            sender.flush()
            if voice.sent == messages { task.cancel() }
        }
    }

    /// Unchecked: used on the sender's event loop only.
    private final class Voice: @unchecked Sendable {
        var random: SeededGenerator
        var sent = 0
        init(random: SeededGenerator) { self.random = random }
    }

    private final class Counts: Sendable {
        let received = Atomic(0)
        let delivered = Atomic(0)
        let failed = Atomic(0)

        func heard(_ event: LoadUser.Event) {
            switch event {
            case .received(let count): received.add(count, ordering: .releasing)
            case .state(_, .delivered, _): delivered.add(1, ordering: .releasing)
            case .state(_, .failed, _): failed.add(1, ordering: .releasing)
            default: break
            }
        }
    }
}
