/// What a node that was restored from a backup keeps to.
extension Limits {
    /// Bytes of a restoration's event.
    public static let restorationBytesMax = 512
    /// Bytes of one testimony: one part of the group, and a word about it.
    public static let testimonyBytesMax = partBytesMax + 512
    /// How long a restored hub waits for the devices of a conversation, and for one that was asked for the group. Longer keeps the
    /// conversation waiting for who is offline; shorter makes those who come late rejoin.
    public static let recoveryPatience = Duration.seconds(10)
    /// By how much the clock of a node may be behind what it was before it was restored without a queue position being given twice: so far
    /// ahead of it positions go on. For as long after a restoration the age of what waits is not known.
    public static let restoredClockError = Duration.hours(24)
    /// Conversations that a restored hub takes up at each sweep (5 s), besides those that somebody asks for.
    public static let recoveriesPerSweep = 512
}
