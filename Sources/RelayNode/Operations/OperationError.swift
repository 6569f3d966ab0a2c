package import Vocabulary

/// Why an operator's command did not do its work.
package enum OperationError: Explained, Equatable {
    case inviterUnreachable([Endpoint], reason: String)
    case refusedByInviter(Refusal)
    case inviterSilent
    case badAdmission
    case backupRefused(String)
    case folderNotEmpty(String)
    case otherNode(String)
    case keysNeeded(passphrase: Bool)
    case storeDamaged(String)
    case clockWrong
    case clockBehind

    /// Worth trying again later.
    package var isUnavailable: Bool {
        switch self {
        case .inviterUnreachable, .inviterSilent: true
        case .refusedByInviter(let refusal): refusal.code.isTransient
        case .badAdmission, .folderNotEmpty, .otherNode, .keysNeeded, .storeDamaged, .clockWrong, .clockBehind: false
        case .backupRefused: true
        }
    }

    package var explanation: Explanation {
        switch self {
        case .inviterUnreachable(let endpoints, let reason):
            Explanation(
                what: "The inviting node cannot be reached at \(endpoints.map(\.description).joined(separator: ", ")).",
                why: Printable.line(reason), remedy: "See that it runs and that this machine reaches it, then run the same command again.")
        case .refusedByInviter(let refusal):
            Explanation(
                what: "The inviting node refused (\(refusal.code)).", why: Printable.line(refusal.detail),
                remedy: refusal.explanation.remedy)
        case .inviterSilent:
            Explanation(
                what: "The inviting node did not answer in time.", why: "The connection stands, but no admission came.",
                remedy: "Run the same command again: the ticket still serves this folder's key.")
        case .backupRefused(let why):
            Explanation(
                what: "The running node could not be backed up.", why: Printable.line(why),
                remedy: "Free space if it lacks, then try again.")
        case .folderNotEmpty(let path):
            Explanation(
                what: "Will not touch \(path).", why: "It is not empty.",
                remedy: "Name another folder with --data, or, if it is this node's own, add --replace: it is moved aside.")
        case .otherNode(let path):
            Explanation(
                what: "The backup is of another node.", why: "The keys in \(path) are not those of the node it was made of.",
                remedy: "Name the right backup, folder or keys.")
        case .keysNeeded(let passphrase):
            passphrase
                ? Explanation(
                    what: "The backup is sealed with a passphrase.", why: "It was made with --passphrase-file.",
                    remedy: "Name the file that holds it: --passphrase-file F")
                : Explanation(
                    what: "The node's keys are missing.", why: "The backup does not hold them.",
                    remedy: "Name the folder that does: --keys DIR")
        case .storeDamaged(let what):
            Explanation(what: "The store in the backup is damaged.", why: Printable.line(what), remedy: "Use another backup.")
        case .clockWrong:
            Explanation(
                what: "The clock is wrong.", why: "It says \(Clock.wallText), and this program was made later.",
                remedy: "Set it, for example with `timedatectl set-ntp true`.")
        case .clockBehind:
            Explanation(
                what: "The clock is behind.",
                why: "It says \(Clock.wallText); the backup, or the folder to be replaced, is newer. A restored node counts by it.",
                remedy: "Set it, for example with `timedatectl set-ntp true`; if it was ahead before, wait until it is past that time.")
        case .badAdmission:
            Explanation(
                what: "The inviting node's answer does not hold.", why: "Its statements do not make this node a member.",
                remedy: "Ask the admin for a new ticket.")
        }
    }
}
