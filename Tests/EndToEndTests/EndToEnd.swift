import Testing

/// The programs that people run, as processes of their own, on loopback ports that the system chooses.
///
/// One test at a time: each has several processes, and two cores must suffice.
@Suite(.serialized) struct EndToEnd {}
