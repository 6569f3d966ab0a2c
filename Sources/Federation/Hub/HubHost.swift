package import Vocabulary

/// What a hub asks of the node around it: the time, and what the directory says.
package struct HubHost {
    /// Seconds since 1970.
    package let wall: UInt64
    /// Seconds this node has run in all; expiry counts by it.
    package let upTime: UInt64
    /// Why nothing new is taken now. A repeat is answered all the same.
    package let obstacle: Refusal?
    /// Of the sender, where it is another node.
    let home: NodeID?
    /// Why a device cannot be in a conversation.
    package let refusal: (RosterEntry) -> Refusal?
    /// From which event on a device has still to read the log; nil for who has not.
    let unreadFrom: (RosterEntry, ConversationID) -> SequenceNumber?
    /// Whether the newest record of its user does not name the device any more.
    package let isGone: (RosterEntry) -> Bool

    /// For messages: who is in a conversation is asked of handshakes alone.
    init(upTime: UInt64, obstacle: Refusal?, home: NodeID?) {
        self.init(wall: 0, upTime: upTime, obstacle: obstacle, home: home, refusal: { _ in nil }, isGone: { _ in false })
    }

    package init(
        wall: UInt64, upTime: UInt64, obstacle: Refusal?, home: NodeID? = nil, refusal: @escaping (RosterEntry) -> Refusal?,
        unreadFrom: @escaping (RosterEntry, ConversationID) -> SequenceNumber? = { _, _ in nil },
        isGone: @escaping (RosterEntry) -> Bool
    ) {
        (self.wall, self.upTime, self.obstacle, self.refusal, self.isGone) = (wall, upTime, obstacle, refusal, isGone)
        (self.home, self.unreadFrom) = (home, unreadFrom)
    }
}
