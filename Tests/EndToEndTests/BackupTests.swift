import Foundation
import Testing

extension EndToEnd {
    /// `posthouse backup` as an operator uses it, and what users see of it.
    @Suite struct Backups {
        @Test func `a running node is backed up, goes on, and is restored without an alarm or a loss`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try eventually("harbor knows bob") { try harbor.knows(bob.address) }
                try alice.deliver("before", to: bob, wait: "accepted")
                _ = try bob.command(["requests", "accept", alice.address])
                try eventually("bob has it") { try bob.history(with: alice).contains { $0.text("text") == "before" } }

                let file = world.folder + "/harbor.backup"
                let made = try harbor.command(["backup", "create", "--to", file, "--json"])
                #expect(made.code == 0 && made.json.first?.text("name") == "harbor", "\(made)")
                #expect(try harbor.command(["backup", "create", "--to", file]).code != 0)
                let verified = try world.run("posthouse", ["backup", "verify", file, "--keys", harbor.folder + "/keys", "--json"])
                #expect(verified.code == 0 && verified.json.first?.number("rows") ?? 0 > 10, "\(verified)")

                // Not in the backup: one that bob has, and one that he has not.
                try alice.deliver("in between", to: bob, wait: "accepted")
                try eventually("bob has it") { try bob.receive().contains { $0.text("text") == "in between" } }
                _ = try alice.receive()
                tower.crash()
                try alice.deliver("on its way", to: bob, wait: "accepted")

                let live = try harbor.command(["backup", "restore", file, "--replace"])
                #expect(live.code == 78, "\(live)")
                harbor.crash()
                #expect(try harbor.command(["backup", "restore", file]).code == 78)
                let restored = try harbor.command(["backup", "restore", file, "--replace", "--json"])
                #expect(restored.code == 0 && restored.json.first?.text("moved") != nil, "\(restored)")
                try harbor.start()
                try tower.start()

                let follower = try alice.follow()
                let receiver = try bob.follow()
                try eventually("what the hub forgot comes") { receiver.texts.contains("on its way") }
                try bob.deliver("and back", to: alice)
                try eventually("alice has it") { follower.texts.contains("and back") }
                try alice.deliver("goes on", to: bob)
                let texts = try bob.history(with: alice).compactMap { $0.text("text") }
                #expect(texts == ["before", "in between", "on its way", "and back", "goes on"], "\(texts)")
                #expect(follower.ofType("alarm").isEmpty && receiver.ofType("alarm").isEmpty)
                #expect(receiver.ofType("membership").contains { $0.text("change") == "restored" })
                #expect(try harbor.status.number("recovering") == 0)
                #expect(try harbor.command(["store", "check", "--json"]).code == 0)
            }
        }

        @Test func `a restoration is refused while the clock is behind what it is to replace`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let file = "\(world.folder)/harbor.backup"
                #expect(try harbor.command(["backup", "create", "--to", file]).code == 0)
                harbor.crash()
                func write(at time: Date) throws {
                    try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: "\(harbor.folder)/store.db")
                }
                try write(at: Date() + 3600)
                let refused = try harbor.command(["backup", "restore", file, "--replace"])
                #expect(refused.code == 78 && refused.explains && refused.errors.contains("clock is behind"), "\(refused)")
                try write(at: Date())
                #expect(try harbor.command(["backup", "restore", file, "--replace"]).code == 0)
            }
        }

        @Test func `a backup with the keys and a passphrase makes the node anew where nothing is`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                let (file, phrase) = (world.folder + "/harbor.backup", world.folder + "/phrase")
                try "correct horse battery".write(toFile: phrase, atomically: true, encoding: .utf8)
                #expect(try harbor.command(["backup", "create", "--to", file, "--with-keys"]).code == 64)
                try harbor.stop()
                let made = try harbor.command(["backup", "create", "--to", file, "--with-keys", "--passphrase-file", phrase])
                #expect(made.code == 0, "\(made)")
                try FileManager.default.removeItem(atPath: harbor.folder)
                #expect(try harbor.command(["backup", "restore", file]).code == 65)
                let restored = try harbor.command(["backup", "restore", file, "--passphrase-file", phrase])
                #expect(restored.code == 0, "\(restored)")
                try harbor.start()
                let bob = try User("bob", at: harbor)
                try alice.deliver("here again", to: bob, wait: "accepted")
                #expect(try bob.receive().contains { $0.text("text") == "here again" })
            }
        }

        @Test func `a look at a backup leaves nothing, and clears away what one that died has left`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (file, place) = (world.folder + "/harbor.backup", world.folder + "/tmp")
                #expect(try harbor.command(["backup", "create", "--to", file]).code == 0)
                try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                // No process has a number so high; the other is of one that runs, this one.
                let (left, other) = ("posthouse-verify-99999999-A", "posthouse-verify-\(getpid())-B")
                for name in [left, other] { try Data().write(to: URL(fileURLWithPath: place + "/" + name)) }
                let words = ["TMPDIR=\(place)", World.programsFolder + "/posthouse", "backup", "verify", file]
                #expect(try world.run("/usr/bin/env", words + ["--keys", harbor.folder + "/keys"]).code == 0)
                #expect(try FileManager.default.contentsOfDirectory(atPath: place) == [other])
            }
        }

        @Test func `a damaged backup is told, and nothing is made of it`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let file = world.folder + "/harbor.backup"
                #expect(try harbor.command(["backup", "create", "--to", file]).code == 0)
                var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: file)))
                bytes[bytes.count / 2] ^= 1
                try Data(bytes).write(to: URL(fileURLWithPath: file))
                let keys = ["--keys", harbor.folder + "/keys"]
                let verified = try world.run("posthouse", ["backup", "verify", file] + keys)
                // A small backup is one chunk: then a wrong key cannot be told from damage.
                #expect([65, 74].contains(verified.code) && verified.errors.contains("damaged"), "\(verified)")
                let elsewhere = world.folder + "/elsewhere"
                #expect(try world.run("posthouse", ["backup", "restore", file, "--data", elsewhere] + keys).code == verified.code)
                #expect(!FileManager.default.fileExists(atPath: elsewhere))
                #expect(try !FileManager.default.contentsOfDirectory(atPath: world.folder).contains { $0.contains("restoring") })
            }
        }
    }
}
