internal import Federation
internal import RelayNode
internal import Vocabulary

/// What operators write and ask: not hostile, but typed by hand, and an admin socket is a listener like the others.
enum SettingsTargets {
    static func configuration() -> Decoders {
        let texts = [
            #"{"name":"harbor"}"#,
            #"{"name":"chat.example.org","clients":"0.0.0.0:7443","clientsAdvertised":"chat.example.org:7443","public":true}"#,
            #"{"name":"a","peers":"[::1]:0","metrics":"127.0.0.1:9100","logLevel":"debug"}"#,
            #"{"name":"a","certificateFile":"/a.pem","certificateKeyFile":"/a.key","public":false}"#, #"{"name":7,"unknown":[]}"#,
        ]
        return Decoders([
            .init("configuration", seeds: texts.map { Array($0.utf8) }) {
                try NodeConfiguration(decoding: $0, path: "posthouse.json")
            } encode: {
                $0.json
            } holds: { configuration throws(Finding) in
                guard !configuration.isPublic else { return }
                let isLocal = configuration.clients.isLoopback && configuration.peers.isLoopback
                try promise(isLocal, "a node that is not public listens beyond loopback")
            },
            .init(seeds: texts.map { Array($0.utf8) }) { bytes throws(Finding) in
                // What is said about a file that is wrong goes to a terminal.
                do throws(DataFolderError) { _ = try NodeConfiguration(decoding: bytes, path: "posthouse.json") } catch {
                    try TextTarget.check(error.explanation.description, allowing: "\n")
                    return false
                }
                return true
            },
        ])
    }

    static func admin() -> Decoders {
        let requests: [(String, String)] = [
            ("GET /v1/status", ""), ("GET /v1/users?address=alice%40harbor", ""), ("GET /v1/members?x", ""), ("GET /metrics", ""),
            ("POST /v1/tickets", #"{"name":"tower","expiresSeconds":3600,"admin":false}"#),
            ("POST /v1/expel", #"{"name":"tower","reason":"gone"}"#), ("POST /v1/invitations", #"{"uses":1,"expiresSeconds":60}"#),
        ]
        return Decoders([
            .init(seeds: requests.map { Array("\($0.0)\n\($0.1)".utf8) }) { bytes throws(Finding) in
                let parts = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
                let line = String(decoding: parts[0], as: UTF8.self).split(separator: " ", maxSplits: 1).map(String.init)
                let request = AdminHTTPRequest(
                    method: line.first ?? "", path: line.count > 1 ? line[1] : "", body: parts.count > 1 ? Array(parts[1]) : [],
                    source: .socket)
                switch AdminRoutes.question(request) {
                case .reply(let response): return response.status == 200
                case .ask(let question):
                    if case .expel(_, let reason) = question.request {
                        try promise((1...Limits.reasonBytesMax).contains(reason.utf8.count), "a reason of \(reason.utf8.count) bytes")
                    }
                    return true
                }
            }
        ])
    }
}
