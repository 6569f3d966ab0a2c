internal import Foundation
package import Vocabulary

/// The two clocks of the system, read by shells only.
package enum Clock {
    /// Monotonic, also through suspension.
    package static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    package static var wall: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000)
    }

    /// For people; what is before 1970 is 1970.
    static var wallText: String { Date(timeIntervalSince1970: Double(wall.seconds)).formatted(.iso8601) }
}
