package import Vocabulary

/// Where the devices of a conversation live, as of one state of directory and membership: worked out once, not for every message.
package struct FanOut: Sendable {
    package struct Share: Sendable {
        package let node: NodeID
        package fileprivate(set) var devices: [DeviceID]
    }

    package let key: ConversationKey
    /// The state of directory and membership that it was made of.
    package let version: UInt64
    /// Devices of the hub's own users.
    package private(set) var local: [DeviceID] = []
    /// Other nodes, rising.
    package private(set) var remote: [Share] = []
    /// Of more than two users: then a full queue is passed over, and the conversation goes on.
    package let isLarge: Bool
    /// Users who live at a member: the first, and whether there is another.
    private var reachable: (first: UserID?, others: Bool) = (nil, false)

    /// - Parameter home: of users who live at members of the federation.
    init(_ key: ConversationKey, _ entries: [RosterEntry], isLarge: Bool, version: UInt64, home: (UserID) -> NodeID?) {
        (self.key, self.version, self.isLarge) = (key, version, isLarge)
        var shares: [NodeID: [DeviceID]] = [:]
        var last: (user: UserID, home: NodeID?)?
        for entry in entries {
            // A user's devices stand together.
            let place = if let last, last.user == entry.user { last.home } else { home(entry.user) }
            last = (entry.user, place)
            guard let place else { continue }
            if let first = reachable.first {
                reachable.others = reachable.others || first != entry.user
            } else {
                reachable.first = entry.user
            }
            if place == key.hub { local.append(entry.device) } else { shares[place, default: []].append(entry.device) }
        }
        remote = shares.sorted { $0.key < $1.key }.map { Share(node: $0.key, devices: $0.value) }
    }

    /// Without the devices of another one.
    package func subtracting(_ other: FanOut) -> FanOut {
        let gone = Set(other.local + other.remote.flatMap(\.devices))
        var rest = self
        rest.local.removeAll(where: gone.contains)
        rest.remote = remote.compactMap { share in
            let devices = share.devices.filter { !gone.contains($0) }
            return devices.isEmpty ? nil : Share(node: share.node, devices: devices)
        }
        return rest
    }

    /// Whether anybody but this user can be reached at all.
    package func isReachable(for user: UserID) -> Bool { reachable.others || reachable.first.map { $0 != user } ?? false }
}
