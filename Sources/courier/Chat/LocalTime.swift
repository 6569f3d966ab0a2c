internal import Foundation

/// A time as people read it, where they are.
enum LocalTime {
    /// `2026-11-24` and `09:41`.
    static func dayAndTime(_ milliseconds: Int64) -> (day: String, time: String) {
        var (seconds, parts) = (time_t(milliseconds / 1000), tm())
        guard localtime_r(&seconds, &parts) != nil else { return ("", "") }
        let day = "\(Format.pad(Int(parts.tm_year) + 1900, 4))-\(Format.pad(Int(parts.tm_mon) + 1, 2))-\(Format.pad(Int(parts.tm_mday), 2))"
        return (day, "\(Format.pad(Int(parts.tm_hour), 2)):\(Format.pad(Int(parts.tm_min), 2))")
    }

    /// `09:41` today, else the day: for "last seen".
    static func lastSeen(_ milliseconds: Int64, now: Int64) -> String {
        let (then, today) = (dayAndTime(milliseconds), dayAndTime(now))
        return then.day == today.day ? then.time : then.day
    }
}
