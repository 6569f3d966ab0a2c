internal import Vocabulary

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

// common.proto, except for what conversations are made of: Messages.swift, Handshakes.swift, KeyPackages.swift, Presence.swift. Each type has `init(value)` and `value()`, which checks every field.

extension ProtoVersionRange {
    init(_ range: VersionRange) {
        lowest = range.lowest
        highest = range.highest
    }

    func value() throws(WireError) -> VersionRange {
        guard lowest >= 1, lowest <= highest else { throw .badValue("versions") }
        return VersionRange(lowest: lowest, highest: highest)
    }
}

extension ProtoRefusal {
    init(_ refusal: Refusal) {
        code = ProtoRefusalCode(rawValue: Int(refusal.code.rawValue)) ?? .unknown
        detail = refusal.detail
        if let epoch = refusal.epoch { self.epoch = epoch.value }
    }

    /// A code that is not known is `unknown`, a detail that is too long is cut: a refusal must arrive.
    func value() throws(WireError) -> Refusal {
        Refusal(
            UInt32(exactly: code.rawValue).flatMap(Refusal.Code.init) ?? .unknown, detail,
            epoch: hasEpoch ? try epoch.counter("refusal.epoch") : nil)
    }
}

extension ProtoSignedUserRecord {
    init(_ record: SignedUserRecord) {
        body = Data(record.body)
        userSignature = Data(record.userSignature)
        if let signature = record.homeSignature { homeSignature = Data(signature) }
    }

    func value() throws(WireError) -> SignedUserRecord {
        guard !body.isEmpty else { throw .missing("record.body") }
        return SignedUserRecord(
            body: try body.opaque("record.body", max: Limits.userRecordBytesMax),
            userSignature: try userSignature.signature("record.user_signature"),
            homeSignature: homeSignature.isEmpty ? nil : try homeSignature.signature("record.home_signature"))
    }
}

extension ProtoLookupKey {
    init(_ lookup: LookupKey) {
        switch lookup {
        case .address(let address): key = .address(address.description)
        case .user(let user): key = .user(Data(user))
        }
    }

    func value() throws(WireError) -> LookupKey {
        switch key {
        case .address(let text): .address(try text.address("key.address"))
        case .user(let bytes): .user(try bytes.id("key.user"))
        case nil: throw .missing("key")
        }
    }
}

extension ProtoSignedStatement {
    init(_ statement: SignedStatement) {
        body = Data(statement.body)
        signer = Data(statement.signer)
        signature = Data(statement.signature)
    }

    func value() throws(WireError) -> SignedStatement {
        guard !body.isEmpty else { throw .missing("statement.body") }
        return SignedStatement(
            body: try body.opaque("statement.body", max: Limits.statementBytesMax), signer: try signer.id("statement.signer"),
            signature: try signature.signature("statement.signature"))
    }
}

extension ProtoStatements {
    init(_ list: [SignedStatement]) { statements = list.map { ProtoSignedStatement($0) } }

    func value() throws(WireError) -> [SignedStatement] {
        try statements.values("statements", max: Limits.itemsPerFrameMax) { statement throws(WireError) in try statement.value() }
    }
}
