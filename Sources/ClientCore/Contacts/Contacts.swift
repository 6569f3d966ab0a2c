internal import Cryptography
public import Vocabulary

/// Everybody known, and which key is pinned for which address.
public struct Contacts: Sendable {
    /// What a record from the directory means for the contact it is about.
    enum Lesson: Equatable {
        case learned(Contact)
        /// The directory shows `Contact`, which is not the key pinned for the address.
        case keyChanged(Contact)
        /// An older version than the one known, or another one of the same version: the known one stays in use.
        case rolledBack(Contact)
        case equivocated(Contact)
    }

    private var byUser: [UserID: Contact] = [:]
    private var pinned: [Address: UserID] = [:]
    private var claims: [Address: UserID] = [:]

    init(_ contacts: [Contact]) {
        for contact in contacts { keep(contact) }
    }

    public subscript(user: UserID) -> Contact? { byUser[user] }

    /// The contact pinned for an address.
    public subscript(address: Address) -> Contact? { pinned[address].flatMap { byUser[$0] } }

    /// The key that claims an address pinned to another one.
    public func claimant(of address: Address) -> Contact? { claims[address].flatMap { byUser[$0] } }

    /// By address, those without one last.
    public var all: [Contact] {
        byUser.values.sorted { x, y in
            switch (x.address, y.address) {
            case (let a?, let b?): (a, x.standing.rawValue, x.user) < (b, y.standing.rawValue, y.user)
            case (.some, nil): true
            case (nil, .some): false
            case (nil, nil): x.user < y.user
            }
        }
    }

    public var count: Int { byUser.count }

    /// Everybody who has or had this address: for the history.
    public func everHad(_ address: Address) -> [UserID] {
        byUser.values.filter { $0.address == address }.map(\.user).sorted()
    }

    /// Whose name the directory has still to tell.
    var unnamed: [UserID] { byUser.values.filter { $0.address == nil }.map(\.user).sorted() }

    mutating func keep(_ contact: Contact) {
        byUser[contact.user] = contact
        guard let address = contact.address else { return }
        if pinned[address] == contact.user { pinned[address] = nil }
        if claims[address] == contact.user { claims[address] = nil }
        switch contact.standing {
        case .pinned: pinned[address] = contact.user
        case .claiming: claims[address] = contact.user
        case .former: break
        }
    }

    /// Takes in what the directory says, pinning the key at first use.
    mutating func learn(_ record: UserRecord, digest: Digest, address: Address) -> Lesson {
        var contact = byUser[record.user] ?? Contact(user: record.user)
        if let known = contact.record {
            if record.version < known.version { return .rolledBack(contact) }
            if record.version == known.version, digest != known.digest { return .equivocated(contact) }
            if record.version == known.version + 1, record.previous != known.digest { return .equivocated(contact) }
        }
        contact.record = KnownRecord(record, digest: digest)
        // A user's address never changes: handle and issuer are for good.
        if contact.address == nil { contact.address = address }
        if let holder = pinned[contact.address ?? address], holder != contact.user { contact.standing = .claiming }
        keep(contact)
        return contact.standing == .claiming ? .keyChanged(contact) : .learned(contact)
    }

    /// The user decided for the new key.
    /// - Returns: the contacts that changed; none if no other key claims the address.
    mutating func trust(_ address: Address) -> [Contact] {
        guard var claimant = claimant(of: address) else { return [] }
        var changed: [Contact] = []
        if var old = self[address] {
            old.standing = .former
            keep(old)
            changed.append(old)
        }
        claimant.standing = .pinned
        claimant.isVerified = false
        keep(claimant)
        return changed + [claimant]
    }
}
