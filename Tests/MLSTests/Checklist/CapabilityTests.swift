import Cryptography
import Foundation
import MLS
import Testing
import Vocabulary

/// RFC 9420 §7.2, §13: defaults that are not listed, lists without doubles, versions; and how tags are compared.
@Suite struct CapabilityTests {
    @Test(arguments: UInt16(1)...7) func `no default proposal or extension type is listed`(type: UInt16) throws {
        var fleet = try Fleet(seed: 140)
        for capabilities in [Capabilities(proposals: [0xf001, type])] + (type <= 5 ? [Capabilities(extensions: [0xf001, type])] : []) {
            let own = try OwnKeyPackage.make(member: .fixture("eve", capabilities: capabilities), using: &fleet.random)
            #expect(throws: MLSError.invalidLeaf(.defaultListed(type))) { try KeyPackage.fetched(own.published, host: fleet.host) }
            #expect(throws: MLSError.invalidLeaf(.defaultListed(type))) {
                try Group.create(
                    id: [1], member: .fixture("eve", capabilities: capabilities), host: fleet.host, using: &fleet.random)
            }
        }
    }

    @Test func `types next to the defaults may be listed`() throws {
        var fleet = try Fleet(seed: 141)
        let capabilities = Capabilities(extensions: [0, 6, 7, 0x0a, 0xffff], proposals: [0, 8, 0xffff])
        let own = try OwnKeyPackage.make(member: .fixture("eve", capabilities: capabilities), using: &fleet.random)
        _ = try KeyPackage.fetched(own.published, host: fleet.host)
    }

    @Test func `no list of extensions has a type twice: key package, leaf, group, GroupInfo`() throws {
        var fleet = try Fleet(seed: 142)
        try fleet.add(["bob"], by: "ann")
        let twice = [MLSExtension(type: 0xf009, data: [1]), MLSExtension(type: 0xf009, data: [2])]
        let error = MLSError.duplicateExtension(0xf009)
        let listed = Capabilities(extensions: [0xf009])
        let package = try OwnKeyPackage.make(member: .fixture("eve"), extensions: twice, using: &fleet.random)
        let leaf = try OwnKeyPackage.make(
            member: .fixture("eve", capabilities: listed, extensions: twice), using: &fleet.random)
        for own in [package, leaf] {
            #expect(throws: error) { try KeyPackage.fetched(own.published, host: fleet.host) }
            #expect(throws: error) {
                try fleet["ann"].commit(CommitPlan([.add(own.package)]), host: fleet.host, using: &fleet.random)
            }
            var bob = fleet["bob"]
            #expect(throws: error) {
                try bob.process(fleet["ann"].forged(.proposal(.add(own.package))), host: fleet.host)
            }
        }
        #expect(throws: error) {
            try Group.create(
                id: [1], member: .fixture("eve", capabilities: listed), extensions: twice, host: fleet.host, using: &fleet.random)
        }
        let info = try fleet["ann"].groupInfo(extensions: twice)
        #expect(throws: error) { try PublicGroup(info, host: fleet.host) }
        #expect(throws: error) { try Group.joinExternally(info, as: .fixture("eve"), host: fleet.host, using: &fleet.random) }
        let context = try fleet["ann"].forgedInfo(fleet["ann"].tree, contextExtensions: twice)
        #expect(throws: error) { try PublicGroup(context, host: fleet.host) }
    }

    @Test func `a newcomer by external commit and by Welcome supports every extension of the group`() throws {
        var random = SeededGenerator(seed: 143)
        let able = Capabilities(extensions: [0xf123])
        let host = GroupHost.fixture()
        let extensions = [MLSExtension(type: 0xf123, data: [])]
        let ann = try Group.create(id: [1], member: .fixture("ann", capabilities: able), extensions: extensions, host: host, using: &random)
        let eve = try OwnKeyPackage.make(member: .fixture("eve"), using: &random)
        #expect(throws: MLSError.invalidLeaf(.requiredExtension(0xf123))) {
            try ann.commit(CommitPlan([.add(eve.package)]), host: host, using: &random)
        }
        #expect(throws: MLSError.invalidGroupInfo(.extensionUnsupported(0xf123))) {
            try Group.joinExternally(ann.groupInfo(), as: .fixture("eve"), host: host, using: &random)
        }
        let bob = try OwnKeyPackage.make(member: .fixture("bob", capabilities: able), using: &random)
        let pending = try ann.commit(CommitPlan([.add(bob.package)]), host: host, using: &random)
        _ = try Group.join(pending.welcome ?? [], with: bob, host: host)
    }

    @Test func `a ReInit and a key package of another version, and a message of another version`() throws {
        var fleet = try Fleet(seed: 144)
        try fleet.add(["bob"], by: "ann")
        let old = try fleet["ann"].forged(.proposal(.reInit(ReInit(groupID: [1], version: 0, cipherSuite: .x25519AES128GCM))))
        #expect(throws: MLSError.invalidProposals(.reInitVersion)) { try fleet["bob"].process(old, host: fleet.host) }
        var message = try fleet.seal("ann", [1])
        message[1] = 2
        #expect(throws: MLSError.malformed(.badValue("an MLS version"))) { try fleet["bob"].process(message, host: fleet.host) }
        var bytes = try fleet.keyPackage("eve").package.encoded
        bytes[1] = 2
        let odd = MLSMessage(.keyPackage(try KeyPackage(exactly: bytes))).bytes
        #expect(throws: MLSError.invalidKeyPackage(.version)) { try KeyPackage.fetched(odd, host: fleet.host) }
    }

    @Test func `tags are compared in constant time, by content and length`() throws {
        let tag = [UInt8](0..<32)
        #expect(constantTimeEqual(tag, tag) && constantTimeEqual([], []))
        for index in tag.indices {
            var other = tag
            other[index] ^= 0x80
            #expect(!constantTimeEqual(tag, other))
            #expect(!constantTimeEqual(tag, Array(tag[..<index])))
        }
        // Nowhere else is a tag compared.
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources/MLS").resolvingSymlinksInPath()
        var compared = 0
        for case let file as URL in try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)) {
            guard file.pathExtension == "swift" else { continue }
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                #expect(
                    !(line.contains("ag ==") || line.contains("ag !=") || line.contains("== tag")), "\(file.lastPathComponent): \(line)")
                compared += line.contains("constantTimeEqual(") ? 1 : 0
            }
        }
        #expect(compared == 4)
    }
}
