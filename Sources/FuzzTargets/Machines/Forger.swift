internal import Cryptography
internal import Simulation
internal import Vocabulary

/// Everybody's keys, in the hands of somebody who means ill: what is mutated is signed anew, so that it is judged by what it says.
struct Forger: Sendable {
    private var nodes: [NodeID: SigningKey] = [:]
    private var users: [UserID: SigningKey] = [:]
    private var devices: [DeviceID: SigningKey] = [:]

    init(_ scene: HonestWorld) {
        for index in 0...1 {
            let key = scene.world.key(ofNode: index)
            nodes[NodeID(raw: key.publicKey)] = key
        }
        // Not those of user 4, who is the judge: what that one says is never forged.
        for profile in scene.profiles.dropLast() {
            users[profile.account.userID] = profile.account.identity
            devices[profile.account.deviceID] = profile.account.device
        }
    }

    func signed(_ statement: SignedStatement) -> SignedStatement {
        guard let key = nodes[statement.signer] else { return statement }
        return SignedStatement(body: statement.body, signer: statement.signer, signature: key.sign(statement.body, for: .statement))
    }

    /// With every certificate in it.
    func signed(_ signed: SignedUserRecord) -> SignedUserRecord {
        guard let record = try? UserRecord(decoding: signed.body), let identity = users[record.user], let issuer = nodes[record.issuer]
        else {
            return signed
        }
        let handle = HandleCertificate.body(federation: record.federation, handle: record.handle, user: record.user)
        let entries = record.devices.map { entry in
            let body = DeviceCertificate.body(user: record.user, device: entry.device)
            return DeviceEntry(
                device: entry.device, certificate: identity.sign(body, for: .deviceCertificate), extensions: entry.extensions)
        }
        let body = UserRecord(
            federation: record.federation, user: record.user, handle: record.handle, issuer: record.issuer,
            handleCertificate: issuer.sign(handle, for: .handleCertificate), home: record.home, devices: entries, version: record.version,
            previous: record.previous, published: record.published, extensions: record.extensions
        ).encoded()
        return SignedUserRecord(
            body: body, userSignature: identity.sign(body, for: .userRecord),
            homeSignature: signed.homeSignature.map { nodes[record.home]?.sign(body, for: .homeConsent) ?? $0 })
    }

    func signed(_ mark: Watermark, by device: DeviceID? = nil) -> Watermark {
        let device = device ?? mark.device
        guard let key = devices[device] else { return mark }
        let body = Watermark.body(key: mark.key, device: device, through: mark.through, chain: mark.chain)
        return Watermark(
            key: mark.key, device: device, through: mark.through, chain: mark.chain, signature: key.sign(body, for: .watermark))
    }

    /// As if this device said it.
    func clientFrame(_ frame: ClientFrame, of sender: RosterEntry) -> ClientFrame {
        switch frame {
        case .acknowledge(let through, let marks, let order):
            .acknowledge(through: through, watermarks: marks.map { signed($0, by: sender.device) }, order: order)
        case .publish(let request, let record): .publish(request, signed(record))
        case .mark(let mark, let devices):
            .mark(SealedMark(key: mark.key, device: sender.device, epoch: mark.epoch, sealed: mark.sealed), devices: devices)
        case .signal(let signal): .signal(Signal(key: signal.key, sender: sender, epoch: signal.epoch, sealed: signal.sealed))
        default: frame
        }
    }

    /// As if a node said it for its users, or for itself.
    func linkFrame(_ frame: LinkFrame, next: QueuePosition, federation: FederationID, sender: RosterEntry) -> LinkFrame {
        switch frame {
        case .hello(let versions, _, let readThrough, let statements):
            .hello(versions: versions, federation: federation, readThrough: readThrough, statements: statements)
        case .entry(_, .submission(let submission, _)): .entry(next, .submission(submission, sender: sender))
        case .entry(_, .watermark(let mark)): .entry(next, .watermark(signed(mark, by: sender.device)))
        case .entry(_, let item): .entry(next, item)
        case .statements(let list): .statements(list.map { signed($0) })
        case .admitted(let list): .admitted(list.map { signed($0) })
        case .records(let list): .records(list.map { signed($0) })
        case .equivocation(let one, let other): .equivocation(signed(one), signed(other))
        case .found(let request, let record): .found(request, record.map { signed($0) })
        case .fetchGroup(let request, let key, _): .fetchGroup(request, key, by: sender)
        case .signal(let signal, let recipients):
            .signal(Signal(key: signal.key, sender: sender, epoch: signal.epoch, sealed: signal.sealed), recipients: recipients)
        default: frame
        }
    }

    /// As if the home of a device said it.
    func nodeFrame(_ frame: NodeFrame, answering request: RequestID?) -> NodeFrame {
        switch frame {
        case .found(let id, let record, let address): .found(request ?? id, signed(record), address: address)
        case .refusedRequest(let id, let refusal): .refusedRequest(request ?? id, refusal)
        case .keyPackages(let id, let claimed): .keyPackages(request ?? id, claimed)
        case .group(let id, let part): .group(request ?? id, part)
        case .done(let id): .done(request ?? id)
        case .entry(let position, .watermark(let mark)): .entry(position, .watermark(signed(mark)))
        default: frame
        }
    }
}
