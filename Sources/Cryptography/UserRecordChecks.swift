public import Vocabulary

/// What makes a user record unacceptable, whoever sent it.
public enum UserRecordError: Error, Equatable, Sendable {
    case undecodable
    case otherFederation
    case userSignature
    case homeSignature
    case handleCertificate
    case deviceCertificate
    case noDevice
}

/// Which of a record's signatures are looked at: by whom it is taken decides that.
public enum UserRecordChecks: Sendable {
    /// Every one: by a client, of whomever it looks up, and by a home, of what it is to make others take.
    case all
    /// All but the home's, which it has not given yet: by a home, of what its user publishes.
    case beforeConsent
    /// Those that bind who is far away: by a node, of what another node sends, be it a record or half of a proof.
    ///
    /// The user's and the home's, and the issuer's over the handle unless the issuer is the home. Nothing is lost by that: a home that is
    /// the issuer has signed user and handle with the whole record, and the user each device. So a record of which the others do not hold
    /// comes from a home that lies, as an honest one checks them all before it consents. It harms that home's own users alone, whom it could
    /// refuse anyway: no client takes their records. Every node must look at the same ones, or replicas would differ for good.
    case binding
}

extension SignedUserRecord {
    /// Names the record: BLAKE2b-256 of the signed bytes.
    public var digest: Digest { Hash.blake2b(body) }

    /// Decodes the record and checks its signatures. Whether issuer and home are members is the directory's to know.
    public func verified(in federation: FederationID, checking checks: UserRecordChecks) throws(UserRecordError) -> UserRecord {
        let record: UserRecord
        do { record = try UserRecord(decoding: body) } catch { throw .undecodable }
        guard record.federation == federation else { throw .otherFederation }
        guard !record.devices.isEmpty else { throw .noDevice }
        guard userSignature.isValid(over: body, for: .userRecord, by: record.user) else { throw .userSignature }
        if checks != .beforeConsent {
            guard let homeSignature, homeSignature.isValid(over: body, for: .homeConsent, by: record.home) else { throw .homeSignature }
        }
        if checks != .binding || record.issuer != record.home {
            let handle = HandleCertificate.body(federation: federation, handle: record.handle, user: record.user)
            guard record.handleCertificate.isValid(over: handle, for: .handleCertificate, by: record.issuer) else {
                throw .handleCertificate
            }
        }
        guard checks != .binding else { return record }
        for entry in record.devices {
            let body = DeviceCertificate.body(user: record.user, device: entry.device)
            guard entry.certificate.isValid(over: body, for: .deviceCertificate, by: record.user) else { throw .deviceCertificate }
        }
        return record
    }
}

extension Watermark {
    public var isSigned: Bool {
        let body = Watermark.body(key: key, device: device, through: through, chain: chain)
        return signature.isValid(over: body, for: .watermark, by: device)
    }
}

/// The chain over a conversation's events. Source: docs/protocol/hub.md §3.
public enum Chain {
    /// Before the first event.
    public static func start(_ key: ConversationKey) -> Digest {
        var writer = ByteWriter(reservingCapacity: 80)
        writer.write(fixed: "posthouse chain 1".utf8)
        writer.write(key)
        return Hash.blake2b(writer.bytes)
    }

    /// `H(previous, number, sender, message id, kind, epoch, H(payload))`: with the payload's digest in its place, so that the chain
    /// can still be followed past an event whose payload is gone.
    public static func next(
        after previous: Digest, number: SequenceNumber, sender: RosterEntry, message: MessageID, kind: EventKind, epoch: Epoch,
        payload: [UInt8]
    ) -> Digest {
        next(
            after: previous, number: number, sender: sender, message: message, kind: kind, epoch: epoch,
            payloadDigest: Hash.blake2b(payload))
    }

    public static func next(
        after previous: Digest, number: SequenceNumber, sender: RosterEntry, message: MessageID, kind: EventKind, epoch: Epoch,
        payloadDigest: Digest
    ) -> Digest {
        var writer = ByteWriter(reservingCapacity: 192)
        writer.write(previous)
        writer.write(number)
        writer.write(sender)
        writer.write(message)
        writer.write(kind.rawValue)
        writer.write(epoch)
        writer.write(payloadDigest)
        return Hash.blake2b(writer.bytes)
    }
}
