internal import Cryptography
package import Federation
internal import Foundation
internal import Synchronization
internal import Transport
package import Vocabulary

extension NodeOperations {
    /// What a ticket offers, after everything that it shows by itself was checked.
    package struct Offer: Sendable {
        package let ticket: Ticket
        package let federationName: String
        package var federation: FederationID { ticket.federation }
        package var inviterName: NodeName { ticket.inviterName }
        package var name: NodeName { ticket.name }
    }

    package static func read(ticket text: String) throws -> Offer {
        let ticket = try Ticket(text)
        try ticket.check(at: Clock.wall)
        guard case .genesis(let genesis) = try? Statement(decoding: ticket.genesis.body) else { throw TicketError.forged }
        return Offer(ticket: ticket, federationName: genesis.name)
    }

    /// Makes keys and data folder, proves the ticket's secret to the inviting node and keeps what it answers. Repeating it after a
    /// failure is safe: the folder's key stays, and the ticket serves it again.
    package static func join(_ offer: Offer, _ folder: DataFolder, _ configuration: NodeConfiguration) throws -> Founded {
        try configuration.checkLoopback()
        let key = try folder.create(configuration)
        let membership: Membership
        do {
            let statements = try admission(by: offer.ticket, as: key)
            membership = try Membership(key: key, statements: statements, federation: offer.federation)
            guard membership.isSelfMember else { throw OperationError.badAdmission }
        } catch let error as OperationError where !error.isUnavailable {
            folder.removeUnused()
            throw error
        }
        try write(membership, folder, configuration)
        return Founded(node: membership.node, federation: offer.federation, federationName: offer.federationName)
    }

    private static func admission(by ticket: Ticket, as key: SigningKey) throws -> [SignedStatement] {
        let anywhere = Endpoint(host: "127.0.0.1", port: 0)
        let joiner = Joiner(ticket)
        let settings = NetworkConfiguration(
            clients: anywhere, peers: anywhere, key: key, certificate: try ServedCertificate(selfSigned: key),
            nodeName: ticket.name.description, eventLoops: 1)
        let network = try Network(settings, delegate: joiner)
        _ = try network.start()
        defer { network.stop() }
        joiner.attach(network)
        network.dial(ticket.inviter, at: ticket.endpoints)
        return try joiner.wait(seconds: 20)
    }
}

/// One exchange with the inviting node: `join` out, statements or a refusal in.
///
/// `@unchecked`: every access holds `condition`.
private final class Joiner: NetworkDelegate, @unchecked Sendable {
    private let ticket: Ticket
    private let condition = NSCondition()
    private var network: Network?
    private var statements: [SignedStatement] = []
    private var isConnected = false
    private var result: Result<[SignedStatement], OperationError>?

    init(_ ticket: Ticket) { self.ticket = ticket }

    func attach(_ network: Network) {
        condition.lock()
        self.network = network
        condition.unlock()
    }

    func wait(seconds: Double) throws -> [SignedStatement] {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date(timeIntervalSinceNow: seconds)
        while result == nil, condition.wait(until: deadline) {}
        return try (result ?? .failure(isConnected ? .inviterSilent : unreachable("no answer in time"))).get()
    }

    private func unreachable(_ reason: String) -> OperationError { .inviterUnreachable(ticket.endpoints, reason: reason) }

    private func finish(_ outcome: Result<[SignedStatement], OperationError>) {
        condition.lock()
        if result == nil { result = outcome }
        condition.unlock()
        condition.broadcast()
    }

    func linkOpened(_ link: LinkID, peer: NodeID, dialled: Bool) {
        condition.lock()
        isConnected = true
        let network = network
        condition.unlock()
        var batch = NetworkBatch()
        batch.send([.join(ticket.request)], to: link)
        network?.perform(batch)
    }

    func link(_ link: LinkID, received frame: LinkFrame, bytes: Int) {
        condition.lock()
        let network = network
        switch frame {
        case .statements(let some) where statements.count < Limits.statementsMax: statements += some
        case .admitted(let some):
            let all = statements + some
            condition.unlock()
            return finish(.success(all))
        case .goodbye(let refusal):
            condition.unlock()
            return finish(.failure(.refusedByInviter(refusal)))
        default: break
        }
        condition.unlock()
        var batch = NetworkBatch()
        batch.processed(link, bytes: bytes)
        network?.perform(batch)
    }

    func linkClosed(_ link: LinkID) { finish(.failure(unreachable("it closed the connection"))) }
    func dialFailed(_ peer: NodeID, reason: String) { finish(.failure(unreachable(reason))) }
    func admits(peer: NodeID) -> Bool { peer == ticket.inviter }
    func sessionOpened(_ session: SessionID, from address: String) {}
    func session(_ session: SessionID, received frame: ClientFrame, bytes: Int) {}
    func sessionClosed(_ session: SessionID) {}
    func admin(_ request: AdminHTTPRequest, reply: @escaping @Sendable (AdminHTTPResponse) -> Void) {}
}
