import Groups
import Testing
import Vocabulary

@Suite struct GroupProfileTests {
    private func user(_ value: UInt8) throws -> UserID { try #require(UserID([UInt8](repeating: value, count: 32))) }

    @Test func `what a group can have become without its owners is told from what it cannot`() throws {
        let (ann, bob, cid) = (try user(1), try user(2), try user(3))
        let old = GroupProfile(
            kind: .group, name: "crew", roles: [ann: .owner, bob: .admin], mayAdd: .admin, mayRemove: .admin, mayRename: .admin)
        func later(_ roles: [UserID: Role], mayAdd: Role = .admin) -> GroupProfile {
            GroupProfile(kind: .group, name: "crew", roles: roles, mayAdd: mayAdd, mayRemove: .admin, mayRename: .admin)
        }
        #expect(old.isKept(in: old, among: [ann, bob, cid]))
        #expect(old.isKept(in: later([ann: .owner]), among: [ann, cid]), "an admin who has gone")
        #expect(!old.isKept(in: later([ann: .owner, bob: .admin, cid: .owner]), among: [ann, bob, cid]))
        #expect(!old.isKept(in: later([ann: .owner]), among: [ann, bob, cid]), "an admin who is less than he was")
        #expect(!old.isKept(in: later([bob: .admin]), among: [bob, cid]), "no owner is left")
        #expect(!old.isKept(in: later([ann: .owner, bob: .admin], mayAdd: .member), among: [ann, bob, cid]))
    }
}
