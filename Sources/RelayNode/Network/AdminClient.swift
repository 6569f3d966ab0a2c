package import Vocabulary

/// Asks a running node over its admin socket. Blocking: for commands.
package struct AdminClient: Sendable {
    package let path: String

    package init(dataFolder: String) throws(AdminClientError) {
        do { path = try AdminSocket.path(dataFolder: dataFolder) } catch { throw .folder(error) }
    }

    /// - Parameter path: with its query, percent-encoded.
    /// - Throws: `notRunning` when nothing listens.
    package func request(
        _ method: String, _ path: String, body: [UInt8] = [], timeout: Duration = .seconds(30)
    ) throws(AdminClientError) -> (status: Int, body: [UInt8]) {
        let head =
            "\(method) \(path) HTTP/1.1\r\nhost: admin\r\nconnection: close\r\ncontent-type: application/json\r\n"
            + "content-length: \(body.count)\r\n\r\n"
        let answer: [UInt8]
        do {
            let descriptor = try UnixSocket.connect(to: self.path)
            answer = try UnixSocket.exchange(
                Array(head.utf8) + body, on: descriptor, bytesMax: Limits.adminAnswerBytesMax, timeout: timeout)
        } catch {
            if error.isNobodyThere { throw .notRunning(path: self.path) }
            throw .failed(path: self.path, reason: error.reason)
        }
        guard !answer.isEmpty else { throw .failed(path: self.path, reason: "It closed the connection without an answer.") }
        guard let parsed = Self.parse(answer) else { throw .failed(path: self.path, reason: "The answer is no HTTP.") }
        return parsed
    }

    /// Our server answers with a length and closes; so the body is the rest, if it is all there.
    static func parse(_ answer: [UInt8]) -> (status: Int, body: [UInt8])? {
        let end: [UInt8] = [13, 10, 13, 10]
        guard let headEnd = answer.indices.first(where: { answer[$0...].starts(with: end) }) else { return nil }
        let lines = String(decoding: answer[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        guard let words = lines.first?.split(separator: " "), words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1])
        else { return nil }
        let body = Array(answer[(headEnd + end.count)...])
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "content-length", let length = Int(parts[1].filter { $0 != " " }),
                length != body.count
            {
                return nil
            }
        }
        return (status, body)
    }
}

package enum AdminClientError: Explained, Equatable {
    case notRunning(path: String)
    case failed(path: String, reason: String)
    case folder(NetworkError)

    package var explanation: Explanation {
        switch self {
        case .notRunning(let path):
            Explanation(what: "The node is not running.", why: "Nothing answers on \(path).", remedy: "Start it: posthouse run --data DIR")
        case .failed(let path, let reason):
            Explanation(
                what: "The node did not answer as it should.", why: "\(path): \(Printable.line(reason))",
                remedy: "Look at its log; the command can be repeated.")
        case .folder(let error): error.explanation
        }
    }
}
