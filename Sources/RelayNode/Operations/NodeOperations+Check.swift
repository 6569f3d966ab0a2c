internal import Cryptography
internal import Federation
internal import Foundation
internal import Storage
internal import Transport
package import Vocabulary

extension NodeOperations {
    package enum Finding: Sendable {
        case good(String)
        case note(String)
        case bad(Explanation)
    }

    /// Looks at everything a start depends on, and at the peers. Changes nothing.
    package static func check(_ folder: DataFolder) -> [Finding] {
        var findings: [Finding] = []
        @discardableResult
        func attempt(_ what: String, _ work: () throws -> Void) -> Bool {
            do {
                try work()
                findings.append(.good(what))
                return true
            } catch let error as any Explained {
                findings.append(.bad(error.explanation))
            } catch {
                findings.append(.bad(Explanation(what: "\(what): failed.", why: "\(error)", remedy: "See the system's log.")))
            }
            return false
        }
        var configuration: NodeConfiguration?
        attempt("configuration: \(folder.configurationFile)") { configuration = try folder.configuration() }
        // No node's folder: that is one fault, not one for each thing that is not in it.
        guard folder.exists else { return findings }
        let hasKeys = attempt("keys: \(folder.keysFolder) is for this user only") { try folder.checkModes() }
        guard let configuration else { return findings }
        if let file = configuration.certificateFile, let keyFile = configuration.certificateKeyFile {
            attempt("certificate: \(file)") { _ = try ServedCertificate(chainFile: file, keyFile: keyFile) }
        }
        findings.append(clock)
        findings.append(disk(folder))
        if let members = told(MembersAnswer.self, at: "/v1/members", folder)?.members {
            findings.append(.good("the node runs"))
            if let status = told(StatusAnswer.self, at: "/v1/status", folder) { findings += running(status) }
            // To one that was expelled nobody links any more: that is one fault, not one for each peer.
            let own = members.first { $0.isSelf && $0.state == "expelled" }
            findings += (own.map { [$0] } ?? members).map(finding)
        } else {
            findings.append(.note("the node does not run"))
            findings += [port("clients", configuration.clients), port("peers", configuration.peers)]
            guard hasKeys else { return findings }
            attempt("store: \(folder.storeFile) opens with storage.key") { findings += try stored(folder) }
        }
        return findings
    }

    private static var clock: Finding {
        Clock.wall >= Software.madeAfter ? .good("clock: \(Clock.wallText)") : .bad(OperationError.clockWrong.explanation)
    }

    private static func disk(_ folder: DataFolder) -> Finding {
        var status = statvfs()
        guard statvfs(folder.path, &status) == 0 else {
            return .bad(
                Explanation(what: "The disk cannot be asked.", why: String(cString: strerror(errno)), remedy: "Check \(folder.path)."))
        }
        guard access(folder.path, W_OK) == 0 else {
            return .bad(DataFolderError.cannotWrite(path: folder.path, reason: String(cString: strerror(errno))).explanation)
        }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize) / 1_048_576
        return free >= 64
            ? .good("disk: \(free) MiB free")
            : .bad(
                Explanation(
                    what: "The disk is nearly full.", why: "\(free) MiB are free.",
                    remedy: "Free some: below 64 MiB a busy node soon refuses messages."))
    }

    private static func port(_ name: String, _ endpoint: Endpoint) -> Finding {
        if endpoint.port == 0 { return .good("port: \(name) on \(endpoint.host), chosen by the system") }
        guard let reason = TCPProbe.bind(endpoint) else { return .good("port: \(name) on \(endpoint) is free") }
        return .bad(
            Explanation(
                what: "Cannot listen on \(endpoint) for \(name).", why: reason,
                remedy: "Stop what listens there (`ss -ltnp` shows it), or change \"\(name)\" in \(NodeConfiguration.fileName)."))
    }

    // MARK: What the node itself tells

    /// - Returns: nil if no node runs on the folder.
    private static func told<Answer: Decodable>(_ type: Answer.Type, at path: String, _ folder: DataFolder) -> Answer? {
        guard let (status, body) = try? AdminClient(dataFolder: folder.path).request("GET", path, timeout: .seconds(5)), status == 200
        else { return nil }
        return try? JSONDecoder().decode(type, from: Data(body))
    }

    private static func running(_ status: StatusAnswer) -> [Finding] {
        let damaged = status.damagedRows.sorted { $0.key < $1.key }.map { "\($0.value) rows of \($0.key)" }
        var findings: [Finding] = [
            damaged.isEmpty
                ? .good("store: everything that was read since the start is whole")
                : .bad(
                    Explanation(
                        what: "The store is damaged.", why: "\(damaged.joined(separator: ", ")) did not open since the start.",
                        remedy: "Look at the disk; `posthouse store check` reads all of it; then restore a backup."))
        ]
        if status.refusingForSpace {
            findings.append(
                .bad(Explanation(what: "New messages are refused.", why: "The disk is full.", remedy: "Free some: it goes on by itself.")))
        }
        if status.recovering > 0 || status.takingUp {
            findings.append(.note("\(status.recovering) conversations are still being taken up after a restoration from a backup"))
        }
        return findings
    }

    // MARK: Peers

    private static func finding(_ member: MembersAnswer.Member) -> Finding {
        switch member.state {
        case "self", "alive": .good("peer: \(member.name) is \(member.state)")
        case "expelled" where member.isSelf: expelled(reason: member.reason ?? "")
        case "expelled": .note("peer: \(member.name) is expelled: \(Printable.line(member.reason ?? ""))")
        case "name-conflict": .note("peer: \(member.name) is \(member.state)")
        case _ where member.peers.isEmpty:
            .bad(Explanation(what: "The node \(member.name) is \(member.state).", why: "It has not run yet.", remedy: "Start it."))
        default:
            .bad(
                Explanation(
                    what: "The node \(member.name) is \(member.state).", why: "No link to \(member.peers.joined(separator: ", ")) is up.",
                    remedy: "See that it runs and that this machine reaches it."))
        }
    }

    private static func expelled(reason: String) -> Finding {
        .bad(
            Explanation(
                what: "This node was expelled from its federation.", why: "An admin's reason: \(Printable.line(reason))",
                remedy: "That is final. Its users register anew elsewhere; a new node needs a new data folder and a new ticket."))
    }

    /// What the store tells of the federation while no node runs.
    private static func stored(_ folder: DataFolder) throws -> [Finding] {
        let open = try OpenStore(folder)
        defer { open.lock.release() }
        let rows = try nodeRows(open.store)
        let key = try folder.nodeKey()
        let statements = try rows.statements.map { try SignedStatement(decoding: $0.value) }
        let membership = try Membership(key: key, statements: statements)
        let own = membership.evaluation.members.first { $0.id == membership.node }
        if case .expelled(let reason)? = own?.state { return [expelled(reason: reason)] }
        return membership.evaluation.active.filter { $0.id != membership.node }.map(reach)
    }

    private static func reach(_ member: Member) -> Finding {
        let name = member.name?.description ?? member.id.short
        let endpoints = member.descriptor?.contents.peers ?? []
        guard !endpoints.isEmpty else { return .note("peer: \(name) has told no address yet") }
        if endpoints.contains(where: TCPProbe.connects) { return .good("peer: \(name) answers at its address") }
        return .bad(
            Explanation(
                what: "The node \(name) cannot be reached.",
                why: "Nothing answers at \(endpoints.map(\.description).joined(separator: ", ")).",
                remedy: "See that it runs and that this machine reaches it."))
    }
}
