import ArgumentParser
import Foundation
import RelayNode
import Vocabulary

/// Asks the running node over its admin socket.
struct AdminCommand {
    private let folder: DataFolder

    init(_ folder: DataFolder) { self.folder = folder }

    func ask<Answer: Decodable>(_ method: String, _ path: String, _: Answer.Type) throws -> Answer {
        try ask(method, path, body: [])
    }

    func ask<Answer: Decodable>(_ method: String, _ path: String, _ question: some Encodable, _: Answer.Type) throws -> Answer {
        try ask(method, path, body: Array(try JSONEncoder().encode(question)))
    }

    private func ask<Answer: Decodable>(_ method: String, _ path: String, body: [UInt8]) throws -> Answer {
        guard folder.exists else { throw DataFolderError.missing(path: folder.path) }
        let (status, answer): (Int, [UInt8])
        do {
            (status, answer) = try AdminClient(dataFolder: folder.path).request(method, path, body: body)
        } catch AdminClientError.notRunning(let socket) {
            throw NotRunning(socket: socket, folder: folder.path)
        }
        if status == 200 { return try JSONDecoder().decode(Answer.self, from: Data(answer)) }
        throw AnsweredError(status, try JSONDecoder().decode(ErrorAnswer.self, from: Data(answer)))
    }
}

/// With the command that mends it, ready to be copied.
struct NotRunning: Explained {
    let socket, folder: String
    var explanation: Explanation {
        Explanation(
            what: "The node is not running.", why: "Nothing answers on \(socket).", remedy: "Start it: posthouse run --data \(folder)")
    }
}

/// The node's own words for why not.
struct AnsweredError: Explained {
    let explanation: Explanation
    let status: Int

    init(_ status: Int, _ answer: ErrorAnswer) {
        self.status = status
        explanation = Explanation(
            what: Printable.line(answer.what), why: Printable.line(answer.why), remedy: Printable.line(answer.remedy))
    }
}

/// Which exit code belongs to which error.
enum Failure {
    static func code(of error: any Explained) -> ExitCode {
        switch error {
        case let error as AnsweredError:
            switch error.status {
            case 403: ExitStatus.permission
            case 503: ExitStatus.unavailable
            default: ExitStatus.data
            }
        case BackupError.exists, BackupError.keyUnusable: ExitStatus.configuration
        case BackupError.notABackup, BackupError.wrongKind, BackupError.wrongKey: ExitStatus.data
        case is BackupError: ExitStatus.io
        case OperationError.folderNotEmpty, OperationError.clockWrong, OperationError.clockBehind: ExitStatus.configuration
        case OperationError.otherNode, OperationError.keysNeeded: ExitStatus.data
        case OperationError.storeDamaged: ExitStatus.io
        case let error as OperationError: error.isUnavailable ? ExitStatus.unavailable : ExitStatus.permission
        case StoreError.unusable, StoreError.inUse: ExitStatus.configuration
        case is StoreError: ExitStatus.io
        case is AdminClientError, is NotRunning: ExitStatus.unavailable
        case DataFolderError.cannotWrite: ExitStatus.io
        case is DataFolderError: ExitStatus.configuration
        case is NetworkError: ExitStatus.configuration
        default: ExitStatus.data
        }
    }
}
