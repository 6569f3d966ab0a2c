internal import Crypto
public import Cryptography
internal import Glibc
public import NIOSSL
internal import SwiftASN1
public import Vocabulary
internal import X509

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// A certificate chain and its key, as a TLS server shows it.
public struct ServedCertificate: Sendable {
    /// Leaf first.
    public let chain: [NIOSSLCertificate]
    public let key: NIOSSLPrivateKey
    /// The leaf's DER form.
    public let leaf: [UInt8]
    /// Made from an Ed25519 key: such a side signs with nothing else.
    public let isEd25519: Bool

    /// SHA-256 of the leaf's DER form.
    public var hash: Bytes32 { Hash.sha256(leaf) }

    /// Self-signed by a node key. A pure function of the key, so that it survives restarts: valid from 2020 to 9999 since
    /// nobody trusts its dates, and its serial number is the key's hash.
    public init(selfSigned key: SigningKey) throws(TransportError) {
        do {
            var seed = key.seed.copyBytes()
            defer { wipe(&seed) }
            let privateKey = Certificate.PrivateKey(try Curve25519.Signing.PrivateKey(rawRepresentation: seed))
            let name = try DistinguishedName { CommonName(Hex.encode(key.publicKey.bytes)) }
            let certificate = try Certificate(
                version: .v3, serialNumber: .init(bytes: [1] + Hash.sha256(key.publicKey.bytes).bytes.prefix(15)),
                publicKey: privateKey.publicKey, notValidBefore: Date(timeIntervalSince1970: 1_577_836_800),
                notValidAfter: Date(timeIntervalSince1970: 253_402_300_799), issuer: name, subject: name,
                signatureAlgorithm: .ed25519,
                extensions: try Certificate.Extensions { Critical(BasicConstraints.notCertificateAuthority) },
                issuerPrivateKey: privateKey)
            var serializer = DER.Serializer()
            try serializer.serialize(certificate)
            leaf = serializer.serializedBytes
            chain = [try NIOSSLCertificate(bytes: leaf, format: .der)]
            self.key = try NIOSSLPrivateKey(bytes: try privateKey.serializeAsPEM().derBytes, format: .der)
            isEd25519 = true
        } catch {
            throw .ownCertificate(reason: "\(error)")
        }
    }

    /// The operator's, from PEM files.
    public init(chainFile: String, keyFile: String) throws(TransportError) {
        do {
            chain = try NIOSSLCertificate.fromPEMFile(chainFile)
            guard let first = chain.first else { throw TransportError.certificateFile(path: chainFile, reason: "It holds no certificate.") }
            leaf = try first.toDERBytes()
            isEd25519 = PeerIdentity.node(of: first) != nil
        } catch let error as TransportError {
            throw error
        } catch {
            throw .certificateFile(path: chainFile, reason: Self.whyUnreadable(chainFile))
        }
        do {
            key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
        } catch {
            throw .certificateFile(path: keyFile, reason: Self.whyUnreadable(keyFile))
        }
    }

    private static func whyUnreadable(_ path: String) -> String {
        access(path, R_OK) == 0 ? "It is not what it should be, in PEM." : String(cString: strerror(errno)) + "."
    }
}
