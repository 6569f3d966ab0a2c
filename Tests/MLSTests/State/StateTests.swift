import Cryptography
import MLS
import Testing
import Vocabulary

@Suite struct StateTests {
    /// Groups whose stores are fed by deltas alone.
    @Test func `deltas alone restore the group after every step`() throws {
        var fleet = try Fleet(seed: 4)
        var stores: [String: StoredGroup] = [:]
        func check() throws {
            for name in fleet.order {
                stores[name, default: StoredGroup()].apply(fleet[name].takeChanges())
                let restored = try Group(restoring: StoredGroup(blob: stores[name]!.blob))
                #expect(restored == fleet[name])
                var whole = StoredGroup()
                whole.apply(fleet[name].stored)
                #expect(whole == stores[name])
            }
        }
        try check()
        try fleet.add(["bob", "cid", "dan", "eve"], by: "ann")
        try check()
        for round in 0..<9 {
            let sender = fleet.order[round % fleet.order.count]
            let sealed = try fleet.seal(sender, [UInt8(round)])
            try check()
            try fleet.deliver(sealed, except: sender)
            try check()
            let update = try fleet.proposeUpdate("bob")
            try check()
            try fleet.deliver(update, except: "bob")
            try check()
            if round == 3 { try fleet.remove("dan", by: "cid") } else { try fleet.commit("ann") }
            try check()
            if round == 5 { try fleet.add(["fay", "gil", "hal", "ivy"], by: "eve", refreshesPath: false) }
            try check()
        }
    }

    @Test func `a message's delta is some hundred bytes, also in a large group`() throws {
        var fleet = try Fleet(seed: 5)
        try fleet.add((0..<255).map { "m\($0)" }, by: "ann", refreshesPath: false, joining: ["m7"])
        var (ann, bob) = (fleet["ann"], fleet["m7"])
        _ = (ann.takeChanges(), bob.takeChanges())
        for round in 0..<3 {
            let sealed = try ann.seal([1], using: &fleet.random)
            let sent = ann.takeChanges().encoded.count
            _ = try bob.process(sealed, host: fleet.host)
            let received = bob.takeChanges().encoded.count
            // The first message of a sender unfolds the secret tree: a record a level.
            #expect(max(sent, received) < (round == 0 ? 800 : 100))
        }
        let pending = try ann.commit(host: fleet.host, using: &fleet.random)
        try ann.merge(pending, host: fleet.host)
        #expect(ann.takeChanges().encoded.count < 4096)
    }

    @Test func `used and passed keys are gone from the store`() throws {
        var fleet = try Fleet(seed: 6)
        try fleet.add(["bob"], by: "ann")
        var store = StoredGroup()
        store.apply(fleet["bob"].takeChanges())
        let before = store.blob
        let first = try fleet.seal("ann", [1])
        let second = try fleet.seal("ann", [2])
        _ = try fleet["bob"].process(second, host: fleet.host)
        store.apply(fleet["bob"].takeChanges())
        var restored = try Group(restoring: StoredGroup(blob: store.blob))
        #expect(throws: MLSError.generationConsumed(1)) { try restored.process(second, host: fleet.host) }
        _ = try restored.process(first, host: fleet.host)
        #expect(throws: MLSError.generationConsumed(0)) { try restored.process(first, host: fleet.host) }
        // The old picture could open it: so what made the difference is the deletion.
        var old = try Group(restoring: StoredGroup(blob: before))
        _ = try old.process(second, host: fleet.host)
        // Epochs beyond the bound leave no record.
        for _ in 0..<7 { try fleet.commit("ann") }
        store.apply(fleet["bob"].takeChanges())
        var late = try Group(restoring: store)
        #expect(throws: MLSError.epochForgotten(1)) { try late.process(first, host: fleet.host) }
    }

    @Test func `a pending commit survives a restart and can be merged after it`() throws {
        var fleet = try Fleet(seed: 7)
        try fleet.add(["bob", "cid"], by: "ann")
        let package = try fleet.keyPackage("dan")
        let pending = try fleet["ann"].commit(
            CommitPlan([.add(package.package), .remove(1)]), host: fleet.host, using: &fleet.random)
        let bytes = pending.stored(for: fleet["ann"])
        var restored = try Group(
            restoring: {
                var s = StoredGroup()
                s.apply(fleet["ann"].stored)
                return s
            }())
        let again = try PendingCommit(stored: bytes, for: restored)
        #expect(again == pending)
        try fleet.deliver(pending.message, except: "ann")
        try restored.merge(again, host: fleet.host)
        fleet["ann"] = restored
        #expect(fleet.agrees)
        #expect(throws: MLSError.staleCommit) { try PendingCommit(stored: bytes, for: restored) }
    }

    @Test func `own key packages are stored and read back`() throws {
        var fleet = try Fleet()
        let own = try fleet.keyPackage("bob")
        #expect(try OwnKeyPackage(stored: own.stored) == own)
        #expect(throws: MLSError.self) { try OwnKeyPackage(stored: Array(own.stored.dropLast())) }
    }

    @Test func `damaged state is refused, never trapped on`() throws {
        var fleet = try Fleet(seed: 8)
        try fleet.add(["bob", "cid"], by: "ann")
        try fleet.commit("bob")
        var store = StoredGroup()
        store.apply(fleet["ann"].stored)
        let blob = store.blob
        var random = SeededGenerator(seed: 9)
        for _ in 0..<500 {
            var bytes = blob
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            }
            if let store = try? StoredGroup(blob: bytes) { _ = try? Group(restoring: store) }
        }
    }
}
