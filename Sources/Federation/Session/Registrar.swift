internal import Cryptography
package import Vocabulary

/// Who may register here: invitations and the handles reserved on their strength.
/// Source: docs/protocol/client-session.md, "Registration".
package struct Registrar: Sendable {
    package static let invitationsMax = 100_000
    /// How long an expired invitation is remembered in any case, so that the late are told "expired" and not "unknown".
    package static let expiredKept = Duration.days(30)
    /// Up-time for which a handle stays reserved for a registration that was not finished.
    package static let reservationSeconds: UInt64 = 3600

    private struct Invitation: Sendable {
        var usesLeft: UInt32
        let expires: Timestamp
    }

    private struct Reservation: Sendable {
        let user: UserID
        let invitation: Digest
        let expires: UInt64
    }

    /// By the digest of the secret: who reads the disk cannot register.
    private var invitations: [Digest: Invitation] = [:]
    private var reservations: [Handle: Reservation] = [:]

    package init(invitations rows: [(key: [UInt8], value: [UInt8])], reservations reserved: [(key: [UInt8], value: [UInt8])]) {
        for (key, value) in rows {
            var reader = ByteReader(value)
            guard let digest = Digest(key), let uses = try? reader.integer(UInt32.self),
                let expires = try? reader.counter(SequenceNumber.self)
            else { continue }
            invitations[digest] = Invitation(usesLeft: uses, expires: Timestamp(milliseconds: Int64(expires.value)))
        }
        for (key, value) in reserved {
            var reader = ByteReader(value)
            guard let handle = try? Handle(String(decoding: key, as: UTF8.self)), let user = try? reader.id(UserID.self),
                let invitation = try? reader.id(Digest.self), let expires = try? reader.integer(UInt64.self)
            else { continue }
            reservations[handle] = Reservation(user: user, invitation: invitation, expires: expires)
        }
    }

    /// - Returns: the secret; nil when there are too many invitations.
    package mutating func invite(
        uses: Int, expires: Timestamp, at wall: Timestamp, using random: inout some RandomNumberGenerator, writes: inout [StoreWrite]
    ) -> [UInt8]? {
        guard invitations.count < Self.invitationsMax || forgetExpired(at: wall, writes: &writes) else { return nil }
        let secret = random.bytes(InvitationLink.secretBytes)
        let digest = Hash.blake2b(secret)
        let invitation = Invitation(usesLeft: UInt32(clamping: uses), expires: expires)
        invitations[digest] = invitation
        writes.append(Self.row(digest, invitation))
        return secret
    }

    /// Reserves a handle. The same user asking again for the same handle is answered alike, so that a lost reply costs nothing.
    /// - Parameter holder: whose handle it is by the directory.
    package mutating func register(
        secret: [UInt8], user: UserID, handle: Handle, holder: UserID?, wall: Timestamp, upTime: UInt64,
        writes: inout [StoreWrite]
    ) -> Refusal? {
        let digest = Hash.blake2b(secret)
        if let reservation = reservations[handle] {
            return reservation.user == user && reservation.invitation == digest
                ? nil : Refusal(.handleTaken, "The handle is taken on this node.")
        }
        guard var invitation = invitations[digest] else {
            return Refusal(.invitationInvalid, "This node made no such invitation.")
        }
        if let holder {
            return holder == user ? nil : Refusal(.handleTaken, "The handle is taken on this node.")
        }
        guard wall < invitation.expires else { return Refusal(.invitationExpired, "The invitation has expired.") }
        guard invitation.usesLeft > 0 else { return Refusal(.invitationUsed, "The invitation has been used.") }
        invitation.usesLeft -= 1
        invitations[digest] = invitation
        writes.append(Self.row(digest, invitation))
        let reservation = Reservation(user: user, invitation: digest, expires: upTime + Self.reservationSeconds)
        reservations[handle] = reservation
        var row = ByteWriter()
        row.write(user)
        row.write(digest)
        row.write(reservation.expires)
        writes.append(.put(.reservation, key: Array(handle.description.utf8), value: row.bytes))
        return nil
    }

    package func isReserved(_ handle: Handle, for user: UserID) -> Bool { reservations[handle]?.user == user }

    package mutating func complete(_ handle: Handle, writes: inout [StoreWrite]) {
        guard reservations.removeValue(forKey: handle) != nil else { return }
        writes.append(.remove(.reservation, key: Array(handle.description.utf8)))
    }

    /// Makes room for one more by the invitation that expired first. Nothing else removes one: a clock that is ahead for a moment would take
    /// all of them for good.
    private mutating func forgetExpired(at wall: Timestamp, writes: inout [StoreWrite]) -> Bool {
        guard let oldest = invitations.min(by: { ($0.value.expires, $0.key) < ($1.value.expires, $1.key) }),
            oldest.value.expires + Self.expiredKept < wall
        else { return false }
        invitations[oldest.key] = nil
        writes.append(.remove(.invitation, key: oldest.key.bytes))
        return true
    }

    /// Drops reservations that were not finished: their use goes back to the invitation.
    package mutating func sweep(upTime: UInt64, writes: inout [StoreWrite]) {
        for handle in reservations.filter({ $0.value.expires <= upTime }).keys.sorted() {
            guard let reservation = reservations[handle] else { continue }
            complete(handle, writes: &writes)
            guard var invitation = invitations[reservation.invitation] else { continue }
            invitation.usesLeft += invitation.usesLeft < .max ? 1 : 0
            invitations[reservation.invitation] = invitation
            writes.append(Self.row(reservation.invitation, invitation))
        }
    }

    private static func row(_ digest: Digest, _ invitation: Invitation) -> StoreWrite {
        var row = ByteWriter()
        row.write(invitation.usesLeft)
        row.write(UInt64(invitation.expires.milliseconds))
        return .put(.invitation, key: digest.bytes, value: row.bytes)
    }
}
