import Cryptography
import Federation
import Vocabulary

/// A person with a key, and the records the person's device would make.
struct Person {
    let key: SigningKey
    let device: SigningKey
    let handle: Handle
    let issuer: Site

    var id: UserID { UserID(raw: key.publicKey) }

    init(key: SigningKey, device: SigningKey, handle: Handle, issuer: Site) {
        (self.key, self.device, self.handle, self.issuer) = (key, device, handle, issuer)
    }

    init(_ name: String, at issuer: Site, using random: inout SeededGenerator) throws {
        (key, device) = (SigningKey(using: &random), SigningKey(using: &random))
        handle = try Handle(name)
        self.issuer = issuer
    }

    /// Signed by everybody who must.
    /// - Parameters:
    ///   - certifiedBy: who signs the handle in the issuer's place.
    ///   - deviceCertifiedBy: who signs the device in the person's place.
    func record(
        version: UInt64 = 1, after previous: SignedUserRecord? = nil, home: Site? = nil, published: UInt64 = 1_700_000_000,
        federation: FederationID = World.federation, certifiedBy: SigningKey? = nil, deviceCertifiedBy: SigningKey? = nil
    ) throws -> SignedUserRecord {
        let home = home ?? issuer
        let body = HandleCertificate.body(federation: federation, handle: handle, user: id)
        let device = DeviceID(raw: device.publicKey)
        let entry = DeviceEntry(
            device: device,
            certificate: (deviceCertifiedBy ?? key).sign(DeviceCertificate.body(user: id, device: device), for: .deviceCertificate),
            extensions: [])
        let record = UserRecord(
            federation: federation, user: id, handle: handle, issuer: issuer.id,
            handleCertificate: (certifiedBy ?? issuer.key).sign(body, for: .handleCertificate), home: home.id, devices: [entry],
            version: version, previous: previous?.digest ?? .zero, published: published)
        let encoded = record.encoded()
        return SignedUserRecord(
            body: encoded, userSignature: key.sign(encoded, for: .userRecord), homeSignature: home.key.sign(encoded, for: .homeConsent))
    }
}

/// A node's key.
struct Site {
    let key: SigningKey
    var id: NodeID { NodeID(raw: key.publicKey) }
    init(using random: inout SeededGenerator) { key = SigningKey(using: &random) }
}

/// Directories joined by links that deliver at once and in order; a clock that only moves when told.
struct World {
    static let federation = FederationID(raw: Bytes32([UInt8](repeating: 7, count: 32)) ?? .zero)

    let sites: [Site]
    var directories: [NodeID: Directory] = [:]
    var random: SeededGenerator
    var now = Instant.start
    var effects: [NodeID: [DirectoryEffect]] = [:]
    /// Bytes of all frames carried: the parts that grow with the replicas, and 64 for each frame around them.
    var bytesCarried = 0
    private var inFlight: [(from: NodeID, to: NodeID, frame: LinkFrame)] = []

    init(nodes: Int, seed: UInt64 = 1, rows: [(key: [UInt8], value: [UInt8])] = []) throws {
        random = SeededGenerator(seed: seed)
        sites = (0..<nodes).map { [random] in
            var own = random
            for _ in 0...$0 { _ = own.next() }
            var key = SeededGenerator(seed: own.next())
            return Site(using: &key)
        }
        for site in sites {
            directories[site.id] = try Directory(node: site.id, federation: Self.federation, records: rows)
            step(site, .membersChanged(active: sites.map(\.id), expelled: []))
        }
    }

    subscript(site: Site) -> Directory {
        directories[site.id] ?? { preconditionFailure("no directory of \(site.id)") }()
    }

    mutating func person(_ name: String, at site: Site) throws -> Person { try Person(name, at: site, using: &random) }

    @discardableResult
    mutating func step(_ site: Site, _ input: DirectoryInput) -> [DirectoryEffect] { step(site.id, input) }

    @discardableResult
    private mutating func step(_ node: NodeID, _ input: DirectoryInput) -> [DirectoryEffect] {
        let made = directories[node]?.step(input, at: now, using: &random) ?? []
        effects[node, default: []] += made
        for case .send(let peer, let frame) in made { inFlight.append((node, peer, frame)) }
        return made
    }

    mutating func link(_ one: Site, _ other: Site) {
        step(one, .linkUp(other.id))
        step(other, .linkUp(one.id))
    }

    /// Carries frames until none is under way.
    mutating func settle() {
        var carried = 0
        while !inFlight.isEmpty, carried < 100_000 {
            let (from, to, frame) = inFlight.removeFirst()
            carried += 1
            bytesCarried += Self.size(of: frame)
            if directories[to] != nil { step(to, .frameReceived(frame, from: from)) }
        }
    }

    /// Lets time pass, meeting every deadline on the way.
    mutating func run(for duration: Duration) {
        let end = now + duration
        settle()
        while let deadline = directories.values.compactMap(\.nextDeadline).min(), deadline <= end {
            now = max(now, deadline)
            for site in sites where directories[site.id]?.nextDeadline.map({ $0 <= now }) ?? false { step(site, .deadlineReached) }
            settle()
        }
        now = end
    }

    func refusals(of site: Site, _ refusal: DirectoryRefusal) -> UInt64 { self[site].refusals[refusal] ?? 0 }

    /// Whether anything was written or sent on since the effects were last cleared.
    func isQuiet(_ site: Site) -> Bool {
        (effects[site.id] ?? []).allSatisfy { effect in
            switch effect {
            case .write, .send, .changed, .nameLeft, .left: false
            case .found, .notFound, .note: true
            }
        }
    }

    static func size(of frame: LinkFrame) -> Int {
        let content =
            switch frame {
            case .records(let records): records.map { $0.encoded().count + 8 }.reduce(0, +)
            case .packedRecords(let records): records.map { $0.rest.count + 40 }.reduce(0, +)
            case .reconcile(_, _, let message): message.count
            case .recordsWanted(let digests): digests.count * 34
            case .equivocation(let one, let other): one.encoded().count + other.encoded().count
            case .found(_, let record): record?.encoded().count ?? 0
            default: 0
            }
        return content + 64
    }
}
