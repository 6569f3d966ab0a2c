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
        let (status, answer) = try AdminClient(dataFolder: folder.path).request(method, path, body: body)
        if status == 200 { return try JSONDecoder().decode(Answer.self, from: Data(answer)) }
        throw AnsweredError(try JSONDecoder().decode(ErrorAnswer.self, from: Data(answer)))
    }
}

/// The node's own words for why not.
struct AnsweredError: Explained {
    let explanation: Explanation

    init(_ answer: ErrorAnswer) {
        explanation = Explanation(
            what: Printable.line(answer.what), why: Printable.line(answer.why), remedy: Printable.line(answer.remedy))
    }
}

/// Which exit code belongs to which error.
enum Failure {
    static func code(of error: any Explained) -> ExitCode {
        switch error {
        case is AnsweredError: ExitStatus.data
        case let error as OperationError: error.isUnavailable ? ExitStatus.unavailable : ExitStatus.permission
        case let error as StoreError: if case .unusable = error { ExitStatus.configuration } else if case .inUse = error { ExitStatus.configuration } else { ExitStatus.io }
        case is AdminClientError: ExitStatus.unavailable
        case let error as DataFolderError: if case .cannotWrite = error { ExitStatus.io } else { ExitStatus.configuration }
        case is NetworkError: ExitStatus.configuration
        default: ExitStatus.data
        }
    }
}
