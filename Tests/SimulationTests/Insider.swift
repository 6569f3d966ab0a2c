import Cryptography
import Groups
import MLS
import Simulation
import Synchronization
import Vocabulary

/// A member whose next commit is not what its core made: right in all that the hub can see, and of no use to any other member.
final class Insider: Sendable {
    let device: Int
    private let group: Group
    private let now: UInt64
    private let externalKey: [UInt8]?
    private let isDone = Mutex(false)

    /// - Parameter externalKey: in place of the epoch's, for those who come back in.
    init?(_ device: Int, in id: ConversationID, of world: World, externalKey: [UInt8]? = nil) {
        guard let group = world.group(id, at: device) else { return nil }
        (self.device, self.group, now, self.externalKey) = (device, group, world.seconds, externalKey)
    }

    var hasStruck: Bool { isDone.withLock { $0 } }

    func plot(_ device: Int, _ frame: ClientFrame) -> [ClientFrame] {
        guard device == self.device, case .submit(let submission) = frame, case .commit(let bundle) = submission.kind,
            bundle.epoch.value == group.epoch, let data = try? MLSMessage(bundle.commit).authenticatedData
        else { return [frame] }
        var plan = CommitPlan()
        plan.authenticatedData = data
        // The same bytes each time, as from an honest device.
        var random = SeededGenerator(seed: 99)
        let host = GroupHost(now: now, refusal: { MemberLeaf.refusal($0) })
        guard let forged = try? group.forgedCommit(plan, externalKey: externalKey, host: host, using: &random) else { return [frame] }
        isDone.withLock { $0 = true }
        let kind = SubmissionKind.commit(
            CommitBundle(epoch: bundle.epoch, commit: forged.commit, welcome: nil, groupInfo: forged.groupInfo))
        return [
            .submit(
                Submission(
                    message: submission.message, conversation: submission.conversation, hub: submission.hub, kind: kind,
                    timeToLive: submission.timeToLive, order: submission.order))
        ]
    }
}
