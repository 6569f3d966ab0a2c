import ArgumentParser
import Cryptography
import Federation
import Foundation
import Lies
import RelayNode
import Vocabulary
import Wire

/// A node whose core is honest and whose tongue is not, and which can write down what it says. For tests alone: what it does must raise its
/// alarm at every client.
@main struct LyingNode: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "lying-node", abstract: "A node that lies to devices of one conversation.")

    @Option(help: "The data folder of a node that `posthouse init` has made.") var data: String
    @Option(help: "drop, swap, repeat, altered, gap, silence, foreignSender, forgedReceipt or ghost; without it, all is true.")
    var lie: Liar.Lie?
    @Option(help: "Ids of the devices to lie to, in hexadecimal.") var victim: [String]
    @Option(help: "A file for what these devices are told: a line for each frame, with device and bytes in hexadecimal.")
    var record: String?

    func run() throws {
        let victims = Set(victim)
        let place = Place()
        let liar = lie.map { Liar($0, ghost: place.ghost) { device in victims.contains(device.hex) } }
        let file = record.flatMap { fopen($0, "a") }
        try NodeOperations.run(
            DataFolder(data), logLevel: nil,
            lie: { node, session, frame in
                guard let device = node.device(of: session)?.device else { return [frame] }
                place.node = node
                defer { place.node = nil }
                let told = liar?.tell(device, frame) ?? [frame]
                if told != [frame] { Self.say("lied") }
                if let file, victims.contains(device.hex) {
                    for frame in told { fputs("\(device.hex) \(Hex.encode(frame.serialized()))\n", file) }
                    fflush(file)
                }
                return told
            },
            ready: { name, addresses in
                Self.say("ready \(name) clients=\(addresses.clients) peers=\(addresses.peers)")
            })
    }

    private static func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}

extension Liar.Lie: ExpressibleByArgument {}

/// Where the ghost finds the group that it enters.
///
/// Unchecked: one event loop at a time speaks for the node, and the core is there only while it does.
private final class Place: @unchecked Sendable {
    var node: Node?

    /// A stranger who enters by external commit, in an event's place.
    func ghost(_ envelope: Envelope, after chain: Digest) -> Ghost? {
        guard let parts = node?.orderer.parcel(envelope.key.conversation, for: envelope.sender),
            let now = try? GroupParcel(decoding: parts.flatMap(\.bytes))
        else { return nil }
        // The core has numbered the event by now; the ghost must not have seen it.
        let before = SequenceNumber(unchecked: envelope.number.value - 1)
        let parcel = GroupParcel(groupInfo: now.groupInfo, tree: now.tree, head: before, chain: chain)
        var random = SystemRandom()
        let seconds = UInt64(max(0, Date().timeIntervalSince1970))
        return try? .entering(parcel, as: .stranger, message: envelope.message, at: seconds, using: &random)
    }
}
