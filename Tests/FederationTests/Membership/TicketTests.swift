import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct TicketTests {
    let f = MembershipFixture()
    private typealias F = MembershipFixture
    private static let now = Timestamp(milliseconds: 1_000_000)
    private static let expiry = now + .hours(24)

    /// A founder's node that has made a ticket for node 1, and what it stored.
    private func invited(role: MemberRole = .member, _ statements: [SignedStatement] = []) throws -> (Membership, Ticket, [StoreWrite]) {
        var membership = try f.membership(0, statements)
        var random = SeededGenerator(seed: 3)
        let invitation = Membership.Invitation(
            name: F.name(1), role: role, expiry: Self.expiry, endpoints: [Endpoint(host: "::1", port: 4001)], now: Self.now)
        let effects = membership.step(.inviteRequested(RequestID(1), invitation), at: .start, using: &random)
        let ticket = effects.compactMap { if case .invited(_, let ticket) = $0 { ticket } else { nil } }.first
        return (membership, try #require(ticket), effects.compactMap { if case .write(let write) = $0 { write } else { nil } })
    }

    private func join(
        _ membership: inout Membership, _ request: JoinRequest, as index: Int, at now: Timestamp = now
    ) -> Result<[SignedStatement], Refusal> {
        var random = SeededGenerator(seed: 4)
        for effect in membership.step(.joinRequested(request, from: F.id(index), at: now), at: .start, using: &random) {
            switch effect {
            case .refuseJoining(F.id(index), let refusal): return .failure(refusal)
            case .admitJoining(F.id(index), let frames):
                return .success(
                    frames.flatMap { frame -> [SignedStatement] in
                        switch frame {
                        case .statements(let statements), .admitted(let statements): statements
                        default: []
                        }
                    })
            default: break
            }
        }
        return .failure(Refusal(.unknown, "no answer"))
    }

    private func code(_ result: Result<[SignedStatement], Refusal>) -> Refusal.Code? {
        if case .failure(let refusal) = result { refusal.code } else { nil }
    }

    @Test func `a ticket survives text, line breaks included, and hides its secret in logs`() throws {
        let (_, ticket, _) = try invited()
        #expect(try Ticket(ticket.text) == ticket)
        #expect(try Ticket(" " + ticket.text.prefix(40) + "\n " + ticket.text.dropFirst(40)) == ticket)
        #expect(ticket.text.hasPrefix("phf1:"))
        #expect(!ticket.description.contains(Base64URL.encode(ticket.secret)))
        #expect(ticket.inviter == F.id(0) && ticket.inviterName == F.name(0) && ticket.name == F.name(1))
        #expect(ticket.federation == f.federation && ticket.endpoints == [Endpoint(host: "::1", port: 4001)])
    }

    @Test func `an altered ticket is refused, whatever was altered`() throws {
        let (_, ticket, _) = try invited()
        let bytes = try #require(Base64URL.decode(String(ticket.text.dropFirst(Ticket.prefix.count))))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(throws: TicketError.self) { try Ticket(Ticket.prefix + Base64URL.encode(changed)) }
        }
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: TicketError.damaged) { try Ticket(Ticket.prefix + Base64URL.encode(Array(bytes.prefix(count)))) }
        }
        #expect(throws: TicketError.notATicket) { try Ticket("phf2:" + ticket.text.dropFirst(5)) }
        #expect(throws: TicketError.notATicket) { try Ticket("") }
        #expect(throws: TicketError.damaged) { try Ticket("phf1:!!") }
        #expect(throws: TicketError.unsupportedFormat(2)) { try Ticket(Ticket.prefix + Base64URL.encode([0, 2] + bytes.dropFirst(2))) }
    }

    @Test func `the joining side sees expiry and wrong name before it dials`() throws {
        let (_, ticket, _) = try invited()
        #expect(throws: Never.self) { try ticket.check(at: Self.now, as: F.name(1)) }
        #expect(throws: TicketError.expired(Self.expiry)) { try ticket.check(at: Self.expiry) }
        #expect(throws: TicketError.otherName(F.name(1))) { try ticket.check(at: Self.now, as: F.name(2)) }
    }

    @Test(arguments: MemberRole.allCases) func `who proves the secret is admitted under the ticket's name and role`(role: MemberRole) throws
    {
        var (membership, ticket, _) = try invited(role: role)
        let statements = try join(&membership, ticket.request, as: 1).get()
        let joined = try Membership(key: F.key(1), statements: statements, federation: ticket.federation)
        #expect(joined.isSelfMember && joined.digest == membership.digest)
        #expect(joined.evaluation[F.id(1)]?.name == F.name(1) && joined.evaluation[F.id(1)]?.role == role)
    }

    @Test func `the same key may redeem again, even late: its answer was lost`() throws {
        var (membership, ticket, _) = try invited()
        let first = try join(&membership, ticket.request, as: 1).get()
        let again = try join(&membership, ticket.request, as: 1, at: Self.expiry + .hours(1)).get()
        #expect(first == again)
    }

    @Test func `a used, expired, unknown or wrong-name ticket is refused with its reason`() throws {
        var (membership, ticket, _) = try invited()
        let request = ticket.request
        #expect(code(join(&membership, request, as: 1, at: Self.expiry)) == .ticketExpired)
        let wrongName = JoinRequest(versions: .current, federation: f.federation, secret: request.secret, name: F.name(2))
        #expect(code(join(&membership, wrongName, as: 1)) == .ticketNameMismatch)
        let guessed = JoinRequest(versions: .current, federation: f.federation, secret: [UInt8](repeating: 0, count: 16), name: F.name(1))
        #expect(code(join(&membership, guessed, as: 1)) == .ticketInvalid)
        let elsewhere = JoinRequest(
            versions: .current, federation: FederationID(raw: .zero), secret: request.secret, name: F.name(1))
        #expect(code(join(&membership, elsewhere, as: 1)) == .otherFederation)
        let future = JoinRequest(
            versions: VersionRange(lowest: 9, highest: 9), federation: f.federation, secret: request.secret, name: F.name(1))
        #expect(code(join(&membership, future, as: 1)) == .versionUnsupported)
        #expect(code(join(&membership, request, as: 1)) == nil)
        #expect(code(join(&membership, request, as: 2)) == .ticketUsed)
    }

    @Test func `an expelled key, a name taken meanwhile and a second name are refused`() throws {
        var (expelled, first, _) = try invited([f.expel(1, by: 0, n: 1)])
        #expect(code(join(&expelled, first.request, as: 1)) == .notMember)
        var (taken, second, _) = try invited()
        var random = SeededGenerator(seed: 1)
        _ = taken.step(.admitRequested(RequestID(2), F.id(5), F.name(1), .member), at: .start, using: &random)
        #expect(code(join(&taken, second.request, as: 1)) == .nameTaken)
        var (other, third, _) = try invited([f.admit(1, by: 0, n: 1, name: F.name(6))])
        #expect(code(join(&other, third.request, as: 1)) == .ticketNameMismatch)
    }

    @Test func `a node in a name conflict gets its new name by a ticket`() throws {
        var (membership, ticket, _) = try invited([f.admit(1, by: 0, n: 1, name: F.name(0))])
        _ = try join(&membership, ticket.request, as: 1).get()
        #expect(membership.evaluation[F.id(1)]?.name == F.name(1))
    }

    @Test func `tickets survive a restart, and the store holds no secret`() throws {
        let (membership, ticket, writes) = try invited()
        var rows: [(key: [UInt8], value: [UInt8])] = []
        for case .put(.ticket, let key, let value) in writes {
            rows.append((key, value))
            #expect(!String(decoding: Hex.encode(key + value).utf8, as: UTF8.self).contains(Hex.encode(ticket.secret)))
        }
        #expect(rows.count == 1)
        var restored = try Membership(key: F.key(0), statements: [f.genesis], tickets: rows)
        #expect(restored.digest == membership.digest)
        #expect(code(join(&restored, ticket.request, as: 1)) == nil)
    }

    @Test func `only admins invite, for free names, with time left`() throws {
        var random = SeededGenerator(seed: 1)
        func invite(_ membership: inout Membership, _ name: NodeName, expiry: Timestamp = Self.expiry) -> Membership.Effect? {
            let invitation = Membership.Invitation(name: name, role: .member, expiry: expiry, endpoints: [], now: Self.now)
            return membership.step(.inviteRequested(RequestID(1), invitation), at: .start, using: &random).last
        }
        var plain = try f.membership(1, [f.admit(1, by: 0, n: 1)])
        #expect(invite(&plain, F.name(2)) == .refused(RequestID(1), .notAdmin))
        var founder = try f.membership(0)
        #expect(invite(&founder, F.name(0)) == .refused(RequestID(1), .nameTaken(F.name(0))))
        #expect(invite(&founder, F.name(2), expiry: Self.now) == .refused(RequestID(1), .expiryPassed))
    }

    @Test func `the book is bounded, and one that expired long ago makes room for one`() throws {
        var membership = try f.membership(0)
        var random = SeededGenerator(seed: 1)
        func invite(at now: Timestamp) -> [Membership.Effect] {
            let invitation = Membership.Invitation(name: F.name(1), role: .member, expiry: now + .hours(1), endpoints: [], now: now)
            return membership.step(.inviteRequested(RequestID(1), invitation), at: .start, using: &random)
        }
        for _ in 0..<Limits.ticketsMax { _ = invite(at: Self.now) }
        #expect(invite(at: Self.now) == [.refused(RequestID(1), .ticketsFull)])
        let later = invite(at: Self.now + .days(32))
        #expect(later.count { if case .write(.remove(.ticket, _)) = $0 { true } else { false } } == 1)
        #expect(later.contains { if case .invited = $0 { true } else { false } })
    }

    @Test func `a clock that is years ahead for a moment takes no ticket for good`() throws {
        var (membership, ticket, _) = try invited()
        var random = SeededGenerator(seed: 1)
        let late = Self.now + .days(400)
        let invitation = Membership.Invitation(name: F.name(2), role: .member, expiry: late + .hours(1), endpoints: [], now: late)
        _ = membership.step(.inviteRequested(RequestID(1), invitation), at: .start, using: &random)
        #expect(code(join(&membership, ticket.request, as: 1, at: late)) == .ticketExpired)
        #expect(code(join(&membership, ticket.request, as: 1)) == nil)
    }
}
