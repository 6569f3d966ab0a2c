internal import Cryptography
package import Vocabulary

/// Who may register here: invitations, and the handles certified on their strength. A certificate says for ever whose a handle is, and every
/// node believes it: so a handle that was certified once is nobody else's, whatever its user does with it, and no user gets a second one.
/// Source: docs/protocol/client-session.md, "Registration".
package struct Registrar: Sendable {
    package static let invitationsMax = 100_000
    /// How long an expired invitation is remembered in any case, so that the late are told "expired" and not "unknown".
    package static let expiredKept = Duration.days(30)

    private struct Invitation: Sendable {
        var usesLeft: UInt32
        let expires: Timestamp
    }

    private struct Reservation: Sendable {
        let user: UserID
        let invitation: Digest
    }

    /// By the digest of the secret: who reads the disk cannot register.
    private var invitations: [Digest: Invitation] = [:]
    /// The handles certified here that no record in the directory shows to be their user's: not published yet, or left for another name.
    /// As many as invitations have uses, at most.
    private var reservations: [Handle: Reservation] = [:]
    private var handles: [UserID: Handle] = [:]

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
                let invitation = try? reader.id(Digest.self)
            else { continue }
            reservations[handle] = Reservation(user: user, invitation: invitation)
            handles[user] = handle
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

    /// Gives a handle to a user for good. The same user asking again for the same handle is answered alike, so that a lost reply costs nothing.
    /// - Parameter holder: whose handle it is by the directory.
    package mutating func register(
        secret: [UInt8], user: UserID, handle: Handle, holder: UserID?, wall: Timestamp, writes: inout [StoreWrite]
    ) -> Refusal? {
        let digest = Hash.blake2b(secret)
        let reservation = reservations[handle]
        // The invitation itself may be forgotten by now.
        if let reservation, reservation.user == user, reservation.invitation == digest { return nil }
        guard var invitation = invitations[digest] else {
            return Refusal(.invitationInvalid, "This node made no such invitation.")
        }
        if let holder = reservation?.user ?? holder {
            return holder == user ? nil : Refusal(.handleTaken, "The handle is taken on this node.")
        }
        guard handles[user] == nil else { return Refusal(.handleTaken, "The user has another handle already.") }
        guard wall < invitation.expires else { return Refusal(.invitationExpired, "The invitation has expired.") }
        guard invitation.usesLeft > 0 else { return Refusal(.invitationUsed, "The invitation has been used.") }
        invitation.usesLeft -= 1
        invitations[digest] = invitation
        writes.append(Self.row(digest, invitation))
        writes.append(reserve(handle, for: user, by: digest))
        return nil
    }

    private mutating func reserve(_ handle: Handle, for user: UserID, by invitation: Digest) -> StoreWrite {
        reservations[handle] = Reservation(user: user, invitation: invitation)
        handles[user] = handle
        var row = ByteWriter()
        row.write(user)
        row.write(invitation)
        // Earlier versions let it lapse at this up-time.
        row.write(UInt64.max)
        return .put(.reservation, key: Array(handle.description.utf8), value: row.bytes)
    }

    /// The user's record does not show any more that the handle is the user's.
    package mutating func keep(_ handle: Handle, for user: UserID) -> [StoreWrite] {
        reservations[handle] == nil ? [reserve(handle, for: user, by: .zero)] : []
    }

    package func isReserved(_ handle: Handle, for user: UserID) -> Bool { reservations[handle]?.user == user }

    /// The directory has it now.
    package mutating func complete(_ handle: Handle, of user: UserID, writes: inout [StoreWrite]) {
        guard isReserved(handle, for: user) else { return }
        reservations[handle] = nil
        if handles[user] == handle { handles[user] = nil }
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

    private static func row(_ digest: Digest, _ invitation: Invitation) -> StoreWrite {
        var row = ByteWriter()
        row.write(invitation.usesLeft)
        row.write(UInt64(invitation.expires.milliseconds))
        return .put(.invitation, key: digest.bytes, value: row.bytes)
    }
}
