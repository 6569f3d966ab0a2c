package import Vocabulary

/// When a connection is read next: where users write, not for a while after a read that took long. What is decoded, answered or passed over with
/// the sockets costs everybody's time and never comes before the writer, which sees to turns (`FairOrder`).
package struct ReadTurns {
    /// A read that takes longer is followed by a rest, several times as long.
    package static let dear = Duration.microseconds(300)
    package static let rest = 3

    private var began: Instant?
    private var restsUntil: Instant?
    private var unknown = 0

    package init() {}

    package mutating func readBegins(at now: Instant) { if began == nil { (began, unknown) = (now, 0) } }

    package mutating func readEnded(at now: Instant) {
        guard let began else { return }
        self.began = nil
        restsUntil = now - began > Self.dear ? now + (now - began) * Self.rest : nil
    }

    /// A frame of a kind that this version does not know is passed over, and is no part of any credit.
    /// - Returns: whether one read may have so many.
    package mutating func passesOver() -> Bool {
        unknown += 1
        return unknown <= Limits.unknownFramesPerReadMax
    }

    /// When the next read may be; nil for at once.
    /// - Parameter wrote: when somebody wrote last.
    package func rest(at now: Instant, wrote: Instant?) -> Instant? {
        guard let restsUntil, restsUntil > now, let wrote, now - wrote < AcceptTurns.writingMax else { return nil }
        return restsUntil
    }
}
