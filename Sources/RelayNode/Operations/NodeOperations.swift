internal import Cryptography
internal import Federation
internal import Foundation
internal import Storage
internal import Transport
package import Vocabulary

/// What the commands of an operator do. `run` is in `NodeOperations+Run.swift`, `join` in `+Join.swift`, `check` in `+Check.swift`.
package enum NodeOperations {
    package struct Founded: Sendable {
        package let node: NodeID
        package let federation: FederationID
        package let federationName: String
    }

    /// A folder, its lock and its open store.
    struct OpenStore {
        let lock: DataFolderLock
        let store: JournaledNodeStore

        init(_ folder: DataFolder) throws {
            lock = try DataFolderLock(folder: folder.path, patience: .seconds(1))
            store = try JournaledNodeStore(folder: folder.path, key: try SealingKey(try folder.storageKey()))
        }
    }

    /// Founds a federation of one: keys, genesis, data folder.
    package static func found(_ folder: DataFolder, _ configuration: NodeConfiguration, federation name: String) throws -> Founded {
        try configuration.checkLoopback()
        guard (1...Genesis.nameBytesMax).contains(name.utf8.count) else { throw NameError.nodeName(name) }
        let key = try folder.create(configuration)
        var random = SystemRandom()
        let genesis = SignedStatement.genesis(name: name, founderName: configuration.name, key: key, using: &random)
        let membership = try Membership(key: key, statements: [genesis])
        try write(membership, folder, configuration)
        return Founded(node: membership.node, federation: membership.federation, federationName: name)
    }

    /// The store first, the configuration last: without it the folder is no node's, and the command can be repeated.
    static func write(_ membership: Membership, _ folder: DataFolder, _ configuration: NodeConfiguration) throws {
        let open = try OpenStore(folder)
        try open.store.commit(membership.writes)
        try open.store.close()
        try folder.write(configuration)
    }
}
