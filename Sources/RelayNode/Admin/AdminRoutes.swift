package import Federation
internal import Foundation
internal import Vocabulary

/// The admin socket's routes: HTTP to `AdminRequest`, and its answer to JSON or the metrics text.
/// Source: docs/operating.md, "The admin socket".
package enum AdminRoutes {
    package enum Form: Sendable { case json, metrics, ready }

    package struct Question: Sendable {
        package let request: AdminRequest
        package let form: Form
    }

    package enum Verdict {
        case reply(AdminHTTPResponse)
        case ask(Question)
    }

    /// What the shell knows besides the core.
    struct Context {
        let storeBytes: Int
        let freeBytes: Int?
        let commits: CommitTimes
        let network: NetworkCounts?
        let isBackupUnderWay: Bool
        let damagedRows: [String: Int]

        init(_ writer: NodeWriter, _ network: Network?) {
            self.network = network?.counts
            storeBytes = writer.store.fileBytes
            freeBytes = try? writer.store.freeBytes
            commits = writer.commits
            isBackupUnderWay = writer.store.isBackupUnderWay
            damagedRows = writer.store.damagedRows
        }
    }

    static let timeMax = 10 * 365 * 86400

    package static func question(_ request: AdminHTTPRequest) -> Verdict {
        let path = request.path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        switch (request.method, path.first ?? "") {
        case ("GET", "/livez"): return .reply(AdminHTTPResponse(status: 200, contentType: "text/plain", body: Array("ok\n".utf8)))
        case ("GET", "/readyz"): return .ask(Question(request: .status, form: .ready))
        case ("GET", "/metrics"): return .ask(Question(request: .status, form: .metrics))
        case ("GET", "/v1/status"): return .ask(Question(request: .status, form: .json))
        case ("GET", "/v1/members"): return .ask(Question(request: .members, form: .json))
        case ("GET", "/v1/users"):
            guard path.count == 2 else { return .ask(Question(request: .users, form: .json)) }
            let text = path[1].hasPrefix("address=") ? String(path[1].dropFirst(8)).removingPercentEncoding : nil
            guard let text, let address = try? Address(text) else { return .reply(bad("address=HANDLE@NODE is wanted.")) }
            return .ask(Question(request: .user(address), form: .json))
        case ("GET", "/v1/queues"):
            let count = path.count == 2 && path[1].hasPrefix("top=") ? Int(path[1].dropFirst(4)) : path.count == 1 ? 10 : nil
            guard let count, (1...1_000).contains(count) else { return .reply(bad("top=1 to 1000 is wanted.")) }
            return .ask(Question(request: .queues(count), form: .json))
        case ("POST", "/v1/tickets"):
            guard let body = decode(TicketQuestion.self, request.body), let name = try? NodeName(body.name),
                (1...timeMax).contains(body.expiresSeconds)
            else { return .reply(bad("{name, expiresSeconds, admin} is wanted.")) }
            let expires = Clock.wall + .seconds(body.expiresSeconds)
            return .ask(Question(request: .inviteNode(name: name, expires: expires, isAdmin: body.admin), form: .json))
        case ("POST", "/v1/backup/begin"): return .ask(Question(request: .backup(.begin), form: .json))
        case ("POST", "/v1/backup/keep"): return .ask(Question(request: .backup(.keep), form: .json))
        case ("POST", "/v1/backup/end"): return .ask(Question(request: .backup(.end), form: .json))
        case ("POST", "/v1/expel"):
            guard let body = decode(ExpelQuestion.self, request.body), let name = try? NodeName(body.name),
                (1...Limits.reasonBytesMax).contains(body.reason.utf8.count)
            else { return .reply(bad("{name, reason} is wanted, the reason 1 to \(Limits.reasonBytesMax) bytes.")) }
            return .ask(Question(request: .expel(name: name, reason: body.reason), form: .json))
        case ("POST", "/v1/invitations"):
            guard let body = decode(InvitationQuestion.self, request.body), (1...1_000_000).contains(body.uses),
                (1...timeMax).contains(body.expiresSeconds)
            else { return .reply(bad("{uses, expiresSeconds} is wanted.")) }
            let expires = Clock.wall + .seconds(body.expiresSeconds)
            return .ask(Question(request: .createInvitation(uses: body.uses, expires: expires), form: .json))
        default:
            let answer = ErrorAnswer(
                what: "There is nothing at this path.", why: "Another method or path was meant.", remedy: "See docs/operating.md.")
            return .reply(AdminHTTPResponse(status: 404, body: Self.encode(answer)))
        }
    }

    static let unavailable = AdminHTTPResponse(
        status: 503,
        body: encode(ErrorAnswer(what: "The node could not do that.", why: "Its disk is full.", remedy: "Free space and try again.")))

    /// For one connection more than a listener takes.
    static func tooMany(_ source: AdminHTTPRequest.Source) -> AdminHTTPResponse {
        let listener =
            switch source {
            case .socket: "the admin socket"
            case .loopback: "the metrics listener"
            }
        return AdminHTTPResponse(
            status: 503,
            body: encode(
                ErrorAnswer(
                    what: "The node is not answering this connection.",
                    why: "\(Limits.adminConnectionsMax) others are open to \(listener), which is as many as it takes.",
                    remedy: "Try again in some seconds; if it goes on, see who holds them: ss -xp for the socket, ss -tp for the listener.")
            ))
    }

    static func response(to question: Question, _ answer: Result<AdminAnswer, AdminError>, _ context: Context) -> AdminHTTPResponse {
        switch answer {
        case .failure(let error):
            let explanation = error.explanation
            return AdminHTTPResponse(
                status: error.isForbidden ? 403 : 409,
                body: encode(ErrorAnswer(what: explanation.what, why: explanation.why, remedy: explanation.remedy)))
        case .success(.members(let members)): return ok(MembersAnswer(members: members.map(report)))
        case .success(.ticket(let text)), .success(.invitation(let text)): return ok(TextAnswer(text: text))
        case .success(.done): return ok(TextAnswer(text: "done"))
        // Answered where the store is.
        case .success(.backup): return unavailable
        case .success(.users(let users)): return ok(UsersAnswer(users: users.map(report)))
        case .success(.queues(let queues)): return ok(report(queues))
        case .success(.status(let status)):
            switch question.form {
            case .json: return ok(report(status, context))
            case .metrics:
                let text = Metrics.text(report(status, context))
                return AdminHTTPResponse(status: 200, contentType: "text/plain; version=0.0.4", body: Array(text.utf8))
            case .ready:
                let isReady = !status.refusingForSpace
                return AdminHTTPResponse(
                    status: isReady ? 200 : 503, contentType: "text/plain", body: Array((isReady ? "ready\n" : "disk full\n").utf8))
            }
        }
    }

    private static func report(_ member: MemberReport) -> MembersAnswer.Member {
        MembersAnswer.Member(
            v: 1, name: member.name, id: member.id.hex, short: member.id.short, role: member.role, state: member.state,
            seenSecondsAgo: member.seenSecondsAgo, rttMilliseconds: member.rttMilliseconds, queued: member.queued,
            version: member.software, peers: member.peers.map(\.description), reason: member.reason, isSelf: member.isSelf)
    }

    private static func report(_ user: UserReport) -> UsersAnswer.User {
        UsersAnswer.User(
            v: 1, address: user.address, user: user.user.hex, home: user.homeName, homeId: user.home.hex,
            devices: user.devices.map(\.hex), version: user.version, keyPackages: user.keyPackages)
    }

    private static func report(_ report: QueuesReport) -> QueuesAnswer {
        QueuesAnswer(
            queues: report.queues.map {
                QueuesAnswer.Queue(
                    v: 1, waitsFor: $0.name, device: $0.device?.hex, entries: $0.entries, bytes: $0.bytes, oldestSeconds: $0.oldestSeconds)
            },
            causes: report.causes.map {
                QueuesAnswer.Cause(v: 1, causedBy: $0.name, isNode: $0.isNode, queueBytes: $0.queueBytes, logBytes: $0.logBytes)
            })
    }

    private static func report(_ status: NodeStatus, _ context: Context) -> StatusAnswer {
        StatusAnswer(
            v: 1, name: status.name, id: status.id.hex, federation: status.federationName, federationId: status.federation.hex,
            role: status.role, software: Software.version, clients: status.clients?.description,
            peersAddress: status.peersAddress?.description, users: status.usersHere, usersKnown: status.usersKnown,
            sessions: status.sessions, queuedMessages: status.queuedMessages, queuedBytes: status.queuedBytes,
            logReaders: status.logReaders, oldestSeconds: status.oldestSeconds, peers: status.peersUp, members: status.members,
            storeBytes: context.storeBytes, freeBytes: context.freeBytes, commits: context.commits.count,
            commitMillisecondsP50: context.commits.percentile(0.5), commitMillisecondsP99: context.commits.percentile(0.99),
            upTimeSeconds: status.upTimeSeconds,
            refusingForSpace: status.refusingForSpace, recovering: status.recovering, takingUp: status.isTakingUp,
            restored: status.restored == 0 ? nil : status.restored, backupUnderWay: context.isBackupUnderWay,
            damagedRows: context.damagedRows, counters: counters(status, context))
    }

    /// The core's and the network's together.
    private static func counters(_ status: NodeStatus, _ context: Context) -> [String: Int] {
        guard let network = context.network else { return status.counters }
        let sockets = [
            "connections_refused": network.connectionsRefused, "handshakes_failed": network.handshakesFailed,
            "protocol_violations": network.violations, "slow_readers_closed": network.slowReaders,
            "frames_received": network.framesReceived, "frames_sent": network.framesSent,
            "frame_bytes_received": network.bytesReceived, "frame_bytes_sent": network.bytesSent,
        ]
        return status.counters.merging(sockets) { core, _ in core }
    }

    /// What came of holding the store's file still.
    static func response(toBackup outcome: Result<Int, StoreError>) -> AdminHTTPResponse {
        switch outcome {
        case .success(let bytes): return ok(BackupAnswer(bytes: bytes))
        case .failure(let error):
            let explanation = error.explanation
            return AdminHTTPResponse(
                status: 409, body: encode(ErrorAnswer(what: explanation.what, why: explanation.why, remedy: explanation.remedy)))
        }
    }

    private static func bad(_ why: String) -> AdminHTTPResponse {
        AdminHTTPResponse(
            status: 400, body: encode(ErrorAnswer(what: "The request cannot be read.", why: why, remedy: "See docs/operating.md.")))
    }

    private static func ok(_ value: some Encodable) -> AdminHTTPResponse { AdminHTTPResponse(status: 200, body: encode(value)) }

    private static func decode<T: Decodable>(_ type: T.Type, _ body: [UInt8]) -> T? { try? JSONDecoder().decode(type, from: Data(body)) }

    private static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array((try? encoder.encode(value)) ?? Data("{}".utf8))
    }
}
