import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct EvaluationTests {
    let f = MembershipFixture()

    @Test func `a genesis alone makes its founder the only admin`() {
        let evaluation = f.evaluate([])
        #expect(evaluation.members.map(\.id) == [MembershipFixture.id(0)])
        #expect(evaluation.isAdmin(MembershipFixture.id(0)))
        #expect(evaluation.member(named: MembershipFixture.name(0))?.state == .active)
    }

    @Test func `without a genesis nobody is a member`() {
        #expect(Evaluation(of: f.verified([f.admit(1, by: 0, n: 1)])).members.isEmpty)
    }

    @Test func `an admit counts only through a chain of admins from the founder`() {
        let chain = [f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 1, n: 1, role: .admin), f.admit(3, by: 2, n: 1)]
        #expect(f.evaluate(chain).activeIndices(of: 6) == [0, 1, 2, 3])
        #expect(f.evaluate(Array(chain.dropFirst())).activeIndices(of: 6) == [0])
        // A plain member admits nobody, and two strangers do not make each other admins.
        let void = [f.admit(4, by: 3, n: 1), f.admit(4, by: 5, n: 1, role: .admin), f.admit(5, by: 4, n: 1, role: .admin)]
        #expect(f.evaluate(chain + void).activeIndices(of: 6) == [0, 1, 2, 3])
    }

    @Test func `expulsion is final, whatever is admitted afterwards`() {
        let evaluation = f.evaluate([f.admit(1, by: 0, n: 1), f.expel(1, by: 0, n: 2), f.admit(1, by: 0, n: 3)])
        #expect(evaluation[MembershipFixture.id(1)]?.state == .expelled(reason: "stolen"))
        #expect(evaluation.member(named: MembershipFixture.name(1)) == nil)
        #expect(!evaluation.isMember(MembershipFixture.id(1)))
    }

    @Test func `a key expelled before it was ever admitted stays out`() {
        #expect(f.evaluate([f.expel(1, by: 0, n: 1), f.admit(1, by: 0, n: 2)]).expelledIndices(of: 2) == [1])
    }

    @Test func `an expelled admin keeps the admissions through last_n and loses those above`() {
        let evaluation = f.evaluate([
            f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 1, n: 1), f.admit(3, by: 1, n: 2), f.expel(1, by: 0, n: 2, lastN: 1),
        ])
        #expect(evaluation.activeIndices(of: 4) == [0, 2])
        #expect(evaluation[MembershipFixture.id(3)] == nil)
    }

    @Test func `expulsions by an expelled admin above last_n are void, and reach no further`() {
        let base = [f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 0, n: 2, role: .admin), f.admit(3, by: 2, n: 1)]
        // 1 expelled 2 with its stolen key; without that, 2's admission of 3 stands.
        let stolen = f.expel(2, by: 1, n: 5)
        #expect(f.evaluate(base + [stolen]).activeIndices(of: 4) == [0, 1])
        #expect(f.evaluate(base + [stolen, f.expel(1, by: 0, n: 3, lastN: 4)]).activeIndices(of: 4) == [0, 2, 3])
        #expect(f.evaluate(base + [stolen, f.expel(1, by: 0, n: 3, lastN: 5)]).activeIndices(of: 4) == [0])
    }

    @Test func `of two admins that expel each other unseen, the more senior prevails`() {
        let base = [f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 0, n: 2, role: .admin)]
        let mutual = [f.expel(2, by: 1, n: 7), f.expel(1, by: 2, n: 9)]
        #expect(f.evaluate(base + mutual).activeIndices(of: 3) == [0, 1])
        // Seniority is the admitter's counter, not the order of ids.
        let swapped = [f.admit(2, by: 0, n: 1, role: .admin), f.admit(1, by: 0, n: 2, role: .admin)]
        #expect(f.evaluate(swapped + mutual).activeIndices(of: 3) == [0, 2])
    }

    @Test func `who was expelled first and knew it does not gain by expelling back`() {
        // 2 (junior) expelled the founder having seen it through 8; the founder's answer has counter 9.
        let base = [f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 0, n: 2, role: .admin)]
        let first = f.expel(0, by: 2, n: 3, lastN: 8)
        #expect(f.evaluate(base + [first, f.expel(2, by: 0, n: 9, lastN: 3)]).activeIndices(of: 3) == [1, 2])
    }

    @Test func `a ring of three expulsions resolves from its most senior`() {
        let base = [f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 0, n: 2, role: .admin), f.admit(3, by: 0, n: 3, role: .admin)]
        let ring = [f.expel(2, by: 1, n: 1), f.expel(3, by: 2, n: 1), f.expel(1, by: 3, n: 1)]
        // 1 is senior: 3's Expel of it is void, 1's of 2 stands, so 2's of 3 is void.
        #expect(f.evaluate(base + ring).activeIndices(of: 4) == [0, 1, 3])
    }

    @Test func `an admin cannot void the admission it lives by`() {
        let evaluation = f.evaluate([f.admit(1, by: 0, n: 1, role: .admin), f.expel(0, by: 1, n: 1, lastN: 0)])
        #expect(evaluation.activeIndices(of: 2) == [0, 1])
        // Nor its own statements.
        let own = f.evaluate([f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 1, n: 1), f.expel(1, by: 1, n: 2, lastN: 0)])
        #expect(own.activeIndices(of: 3) == [0, 1, 2])
    }

    @Test func `a junior admin can expel the founder, and stays`() {
        let evaluation = f.evaluate([f.admit(1, by: 0, n: 1, role: .admin), f.expel(0, by: 1, n: 1, lastN: 1)])
        #expect(evaluation.activeIndices(of: 2) == [1])
        #expect(evaluation.member(named: MembershipFixture.name(0)) == nil)
    }

    @Test func `what hangs on a circle is settled after it, not with it`() {
        // 1 and 2 expel each other; 4, admitted by 2 as an admin, expels 5. 1 prevails and 2's admission of 4 was above last_n: void.
        let base = [
            f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 0, n: 2, role: .admin), f.admit(5, by: 0, n: 3),
            f.admit(4, by: 2, n: 4, role: .admin), f.expel(5, by: 4, n: 1), f.expel(1, by: 2, n: 5),
        ]
        #expect(f.evaluate(base + [f.expel(2, by: 1, n: 1, lastN: 3)]).activeIndices(of: 6) == [0, 1, 5])
        #expect(f.evaluate(base + [f.expel(2, by: 1, n: 1, lastN: 4)]).activeIndices(of: 6) == [0, 1, 4])
    }

    @Test func `of two nodes admitted under one name one keeps it, and the other is unnamed until admitted anew`() throws {
        let name = MembershipFixture.name(9)
        let one = f.admit(1, by: 0, n: 1, name: name)
        let two = f.admit(2, by: 0, n: 2, name: name)
        let (winner, loser) = one.id < two.id ? (1, 2) : (2, 1)
        let evaluation = f.evaluate([one, two])
        #expect(evaluation.member(named: name)?.id == MembershipFixture.id(winner))
        let conflicted = try #require(evaluation[MembershipFixture.id(loser)])
        #expect(conflicted.name == nil && conflicted.state == .nameConflict(name))
        #expect(evaluation.isMember(conflicted.id))
        let anew = f.evaluate([one, two, f.admit(loser, by: 0, n: 3, name: MembershipFixture.name(8))])
        #expect(anew[MembershipFixture.id(loser)]?.name == MembershipFixture.name(8))
        #expect(anew[MembershipFixture.id(winner)]?.name == name)
    }

    @Test func `nobody takes the founder's name, and the name of an expelled node is free`() {
        let claim = f.admit(1, by: 0, n: 1, name: MembershipFixture.name(0))
        #expect(f.evaluate([claim])[MembershipFixture.id(1)]?.state == .nameConflict(MembershipFixture.name(0)))
        let reused = f.evaluate([
            f.admit(1, by: 0, n: 1), f.expel(1, by: 0, n: 2), f.admit(2, by: 0, n: 3, name: MembershipFixture.name(1)),
        ])
        #expect(reused.member(named: MembershipFixture.name(1))?.id == MembershipFixture.id(2))
        #expect(reused[MembershipFixture.id(1)]?.name == MembershipFixture.name(1))
    }

    @Test func `the highest role stands`() {
        let evaluation = f.evaluate([f.admit(1, by: 0, n: 1, role: .admin), f.admit(1, by: 0, n: 2)])
        #expect(evaluation.isAdmin(MembershipFixture.id(1)))
    }

    @Test func `the newest descriptor is shown`() {
        let evaluation = f.evaluate([f.descriptor(0, version: 2, software: "b"), f.descriptor(0, version: 1, software: "a")])
        #expect(evaluation[MembershipFixture.id(0)]?.descriptor?.contents.software == "b")
    }
}
