import ArgumentParser
import Cryptography
import Federation
import Foundation
import Lies
import RelayNode
import Vocabulary

/// A node whose core is honest and whose tongue is not. For tests alone: what it does must raise its alarm at every client.
@main struct LyingNode: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "lying-node", abstract: "A node that lies to devices of one conversation.")

    @Option(help: "The data folder of a node that `posthouse init` has made.") var data: String
    @Option(help: "drop, swap, repeat, altered, gap, foreignSender, forgedReceipt or ghost.") var lie: Liar.Lie
    @Option(help: "Ids of the devices to lie to, in hexadecimal.") var victim: [String]

    func run() throws {
        let victims = Set(victim)
        let place = Place()
        let liar = Liar(lie, ghost: place.ghost) { device in victims.contains(device.hex) }
        try NodeOperations.run(
            DataFolder(data), logLevel: nil,
            lie: { node, session, frame in
                guard let device = node.device(of: session)?.device else { return [frame] }
                place.node = node
                defer { place.node = nil }
                return liar.tell(device, frame)
            },
            ready: { name, addresses in
                print("ready \(name) clients=\(addresses.clients) peers=\(addresses.peers)")
                fflush(nil)
            })
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
