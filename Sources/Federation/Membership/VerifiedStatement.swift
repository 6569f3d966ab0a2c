public import Cryptography
public import Vocabulary

/// What makes a statement unacceptable, whoever sent it.
public enum StatementError: Error, Hashable, Sendable, CaseIterable {
    case undecodable
    case badSignature
    case otherFederation
    /// A genesis not signed by its founder, or a descriptor not signed by the node it is about.
    case wrongSigner
    /// The signer was never admitted as an admin, as far as this node knows: it may come to know.
    case unknownSigner
    /// A bound of `Limits` is reached.
    case full
}

/// A statement whose signature holds and that belongs to this federation. There is no other way to one than `verified(in:)`.
/// Whether its signer may say it is `Evaluation`'s to tell.
public struct VerifiedStatement: Hashable, Sendable {
    /// BLAKE2b-256 of signer and body. The signature is left out: one signer can make several over the same words.
    public let id: Digest
    public let statement: Statement
    public let signed: SignedStatement

    public var signer: NodeID { signed.signer }

    fileprivate init(id: Digest, statement: Statement, signed: SignedStatement) {
        (self.id, self.statement, self.signed) = (id, statement, signed)
    }
}

extension SignedStatement {
    /// The name of what is said and by whom, in stores and digests.
    public var id: Digest { Hash.blake2b(signer.bytes + body) }

    /// - Returns: nil unless this is a genesis signed by its founder.
    public var foundedFederation: FederationID? {
        guard case .genesis(let genesis)? = try? Statement(decoding: body), genesis.founder == signer,
            signature.isValid(over: body, for: .statement, by: signer)
        else { return nil }
        return FederationID(raw: Hash.blake2b(body).raw)
    }

    /// Decodes and checks everything that the statement alone can show.
    public func verified(in federation: FederationID) throws(StatementError) -> VerifiedStatement {
        guard let statement = try? Statement(decoding: body) else { throw .undecodable }
        switch statement {
        case .genesis(let genesis):
            guard FederationID(raw: Hash.blake2b(body).raw) == federation else { throw .otherFederation }
            guard genesis.founder == signer else { throw .wrongSigner }
        case .admit(let admit):
            guard admit.federation == federation else { throw .otherFederation }
        case .expel(let expel):
            guard expel.federation == federation else { throw .otherFederation }
        case .descriptor(let descriptor):
            guard descriptor.federation == federation else { throw .otherFederation }
            guard descriptor.node == signer else { throw .wrongSigner }
        }
        guard signature.isValid(over: body, for: .statement, by: signer) else { throw .badSignature }
        return VerifiedStatement(id: id, statement: statement, signed: self)
    }

    public static func signing(_ statement: Statement, with key: SigningKey) -> SignedStatement {
        let body = statement.encoded()
        return SignedStatement(body: body, signer: NodeID(raw: key.publicKey), signature: key.sign(body, for: .statement))
    }

    /// A new federation of one.
    public static func genesis(
        name: String, founderName: NodeName, key: SigningKey, using random: inout some RandomNumberGenerator
    ) -> SignedStatement {
        var kept = name
        while kept.utf8.count > Genesis.nameBytesMax { kept.removeLast() }
        let genesis = Genesis(
            name: kept, founder: NodeID(raw: key.publicKey), founderName: founderName, random: Bytes16(random.next(), random.next()))
        return signing(.genesis(genesis), with: key)
    }
}
