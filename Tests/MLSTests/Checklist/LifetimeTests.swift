import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §7.2, §7.3: how long a key package may be used, by a clock that the caller brings.
@Suite struct LifetimeTests {
    var random = SeededGenerator(seed: 130)
    static let strict = GroupHost.Bounds(checksReceivedLifetimes: true)

    mutating func package(_ from: UInt64, _ to: UInt64, name: String = "eve") throws -> OwnKeyPackage {
        try OwnKeyPackage.make(member: .fixture(name, lifetime: Lifetime(notBefore: from, notAfter: to)), using: &random)
    }

    /// What somebody says who fetches it, and who adds it, at a time.
    func refused(_ own: OwnKeyPackage, now: UInt64, bounds: GroupHost.Bounds = GroupHost.Bounds()) throws -> [MLSError?] {
        let host = GroupHost.fixture(now: now, bounds: bounds)
        let ann = try Fleet(seed: 131)["ann"]
        func caught(_ body: () throws(MLSError) -> Void) -> MLSError? {
            do throws(MLSError) {
                try body()
                return nil
            } catch { return error }
        }
        var random = SeededGenerator(seed: 1)
        return [
            caught { () throws(MLSError) in _ = try KeyPackage.fetched(own.published, host: host) },
            caught { () throws(MLSError) in _ = try ann.commit(CommitPlan([.add(own.package)]), host: host, using: &random) },
            caught { () throws(MLSError) in
                var copy = ann
                _ = try copy.propose(.add(own.package), host: host, using: &random)
            },
        ]
    }

    @Test mutating func `a lifetime is strict for what is fetched, proposed and committed, and both its ends are in it`() throws {
        let own = try package(noon, noon + 100)
        let good: [MLSError?] = [nil, nil, nil]
        let bad: [MLSError?] = Array(repeating: .invalidLeaf(.lifetime), count: 3)
        #expect(try refused(own, now: noon - 1) == bad)
        #expect(try refused(own, now: noon) == good)
        #expect(try refused(own, now: noon + 100) == good)
        #expect(try refused(own, now: noon + 101) == bad)
        #expect(try refused(package(noon + 1, noon - 1), now: noon) == bad)
        #expect(try refused(package(noon, 0), now: noon) == bad)
    }

    @Test mutating func `a lifetime has a longest`() throws {
        let most = GroupHost.Bounds().lifetimeSeconds
        let bad: [MLSError?] = Array(repeating: .invalidLeaf(.lifetimeTooLong), count: 3)
        #expect(try refused(package(noon, noon + most), now: noon) == [nil, nil, nil])
        #expect(try refused(package(noon, noon + most + 1), now: noon) == bad)
        #expect(try refused(package(0, .max), now: noon) == bad)
        #expect(try refused(package(0, .max), now: noon, bounds: GroupHost.Bounds(lifetimeSeconds: .max)) == [nil, nil, nil])
    }

    @Test mutating func `who idles beyond its lifetime bars no join, unless the caller wants that`() throws {
        var fleet = try Fleet(seed: 132)
        let bob = try OwnKeyPackage.make(member: .fixture("bob", lifetime: Lifetime(notBefore: noon, notAfter: noon + 10)), using: &random)
        let first = try fleet.commit("ann", CommitPlan([.add(bob.package)]))
        fleet.groups["bob"] = try Group.join(first.welcome ?? [], with: bob, host: fleet.host)
        fleet.order.append("bob")
        let late = GroupHost.fixture(now: noon + 1000)
        let strict = GroupHost.fixture(now: noon + 1000, bounds: Self.strict)
        let cid = try package(noon, noon + 2000, name: "cid")
        let second = try fleet["ann"].commit(CommitPlan([.add(cid.package)]), host: late, using: &random)
        _ = try Group.join(second.welcome ?? [], with: cid, host: late)
        #expect(throws: MLSError.invalidLeaf(.lifetime)) { try Group.join(second.welcome ?? [], with: cid, host: strict) }
        let info = try fleet["ann"].groupInfo()
        _ = try Group.joinExternally(info, as: .fixture("dan"), host: late, using: &random)
        #expect(throws: MLSError.invalidLeaf(.lifetime)) {
            try Group.joinExternally(info, as: .fixture("dan"), host: strict, using: &random)
        }
        // A path of its own makes the leaf one without a lifetime.
        try fleet.commit("bob")
        _ = try PublicGroup(fleet["ann"].groupInfo(), host: strict)
    }

    @Test mutating func `an Add that expired under way is taken, unless the caller wants it refused; one that lasts too long never`() throws
    {
        var fleet = try Fleet(seed: 133)
        try fleet.add(["bob"], by: "ann")
        let bob = fleet["bob"]
        for (own, error): (OwnKeyPackage, MLSError) in [
            (try package(noon - 10, noon - 1), .invalidLeaf(.lifetime)), (try package(0, .max), .invalidLeaf(.lifetimeTooLong)),
            (try package(noon, noon - 1), .invalidLeaf(.lifetime)),
        ] {
            let isPast = own.package.leaf.source == .keyPackage(Lifetime(notBefore: noon - 10, notAfter: noon - 1))
            for body: FramedContent.Body in [
                .proposal(.add(own.package)), .commit(Commit(items: [.proposal(.add(own.package))], path: nil)),
            ] {
                let forged = try fleet["ann"].forged(body)
                var (member, other) = (bob, bob)
                #expect(throws: error) { try member.process(forged, host: .fixture(bounds: Self.strict)) }
                // A forged commit has no tag that holds: what is taken gets that far.
                let taken = body.type == .proposal ? nil : MLSError.invalidConfirmationTag
                do throws(MLSError) {
                    _ = try other.process(forged, host: fleet.host)
                    #expect(isPast && taken == nil)
                } catch let refusal {
                    #expect(refusal == (isPast ? taken : error))
                }
            }
        }
    }
}
