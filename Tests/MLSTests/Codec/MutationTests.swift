import Foundation
import MLSVectors
import Testing

/// A short run; `workbench fuzz --target mls` is the long one.
@Suite struct MutationTests {
    static let count = Int(ProcessInfo.processInfo.environment["POSTHOUSE_MLS_MUTATIONS"] ?? "") ?? 2000

    @Test(arguments: [UInt64(1), 2]) func `no mutation traps a member, a hub or a joiner, signed or not`(seed: UInt64) throws {
        var fuzzer = try MLSFuzzer(seed: seed)
        fuzzer.run(Self.count)
        #expect(fuzzer.decoded > Self.count / 8)
    }
}
