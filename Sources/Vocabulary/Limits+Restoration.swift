/// What a node that was restored from a backup keeps to.
extension Limits {
    /// Bytes of a restoration's event.
    public static let restorationBytesMax = 512
    /// Bytes of one testimony: one part of the group, and a word about it.
    public static let testimonyBytesMax = partBytesMax + 512
    /// How long a restored hub waits for the devices of a conversation, and for one that was asked for the group. Longer keeps the
    /// conversation waiting for who is offline; shorter makes those who come late rejoin.
    public static let recoveryPatience = Duration.seconds(10)
    /// Conversations that a restored hub takes up at each sweep (5 s), besides those that somebody asks for.
    public static let recoveriesPerSweep = 512
}
