import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite struct Disk {
        /// 16 MiB that can be filled to the last byte, or nil where mounting is not permitted.
        private static func smallDisk(at folder: String) -> Bool {
            mkdir(folder, 0o700)
            return mount("tmpfs", folder, "tmpfs", 0, "size=16m") == 0
        }

        /// Takes all the room there is.
        private static func fill(_ file: String) {
            let descriptor = open(file, O_WRONLY | O_CREAT, 0o600)
            let block = [UInt8](repeating: 1, count: 4096)
            while write(descriptor, block, block.count) > 0 {}
            close(descriptor)
        }

        @Test func `a full disk refuses the new, delivers the old, and needs no restart once there is room`() throws {
            try World.run { world in
                let disk = world.folder + "/disk"
                guard Self.smallDisk(at: disk) else {
                    return skipped("a full disk", "mounting a tmpfs is not permitted here (\(String(cString: strerror(errno))))")
                }
                var node: Node?
                defer {
                    node?.crash()
                    umount(disk)
                }
                let harbor = try Node.found("harbor", in: world, folder: disk + "/harbor")
                node = harbor
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                for number in 1...5 { try alice.deliver("before \(number)", to: bob, wait: "accepted") }

                Self.fill(disk + "/fill")
                var (kept, written): ([String], Int) = ([], 0)
                // What is on its way goes into the journal, whose room is its own: only when that is full is the disk asked.
                while kept.count < 3, written < 400 {
                    written += 1
                    let number = written
                    let text = "full \(number) " + String(repeating: "y", count: 15_000)
                    let outcome = try alice.send(text, to: bob, wait: "sent", timeout: "3s")
                    // Room that the node had set aside may take one more; what says `sent` must arrive too.
                    guard outcome.code != 0 else { continue }
                    #expect(outcome.code == 75, "\(outcome)")
                    #expect(
                        outcome.json.last?.text("state") == "queued" && outcome.json.last?.text("reason")?.contains("disk") == true,
                        "\(outcome)")
                    kept.append(text)
                }
                #expect(!kept.isEmpty)
                #expect(harbor.isRunning)
                #expect(try harbor.status.bool("refusingForSpace") == true)
                let check = try harbor.command(["check"])
                #expect(check.code == 78 && "\(check)".contains("New messages are refused."), "\(check)")
                let delivered = try bob.receive().compactMap { $0.text("text") }
                #expect(delivered.prefix(5) == (1...5).map { "before \($0)" }[...], "what waited is delivered, by a full disk too")

                unlink(disk + "/fill")
                try eventually("what was kept is sent") {
                    _ = try alice.receive()
                    return try alice.command(["outbox", "--json"]).json.isEmpty
                }
                try alice.deliver("after", to: bob, wait: "accepted")
                var shown = delivered
                try eventually("all has come") {
                    shown += try bob.receive().compactMap { $0.text("text") }
                    return shown.last == "after"
                }
                #expect(shown.count == 5 + written + 1 && Set(shown).count == shown.count && kept.allSatisfy { shown.contains($0) })
                #expect(harbor.isRunning)
                #expect(try harbor.status.bool("refusingForSpace") == false)
                #expect(try harbor.stop() == .code(0))
            }
        }

        /// The how-manieth `fdatasync` of a run fails: of the start, of a commit, of a checkpoint.
        @Test(arguments: [1, 8, 15, 22, 29])
        func `a disk that fails ends the node with exit 74, and nothing that was acknowledged is lost`(sync: Int) throws {
            try World.run { world in
                guard try world.run("/usr/bin/env", ["strace", "-o", "/dev/null", "true"]).code == 0 else {
                    return skipped("a failing disk", "strace is missing or not permitted here")
                }
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try harbor.stop()
                // -D: the process that we start is the node, and strace goes with it.
                let process = try world.start(
                    "/usr/bin/env",
                    ["strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=\(sync)"]
                        + ["\(World.programsFolder)/posthouse", "run", "--data", harbor.folder])
                try eventually("it serves, or has ended") { !process.lines.isEmpty || process.ended != nil }
                var (acknowledged, submitted): ([String], [String]) = ([], [])
                while process.ended == nil, submitted.count < 60 {
                    let text = "message \(submitted.count + 1)"
                    submitted.append(text)
                    if try alice.send(text, to: bob, wait: "sent", timeout: "10s").code == 0 { acknowledged.append(text) }
                }
                let exit = try process.waitForExit()
                #expect(exit == .code(74), "\(process.errors)")
                #expect(process.errors.contains("why: ") && process.errors.contains("remedy: "), "\(process.errors)")

                try harbor.start()
                var shown: [String] = []
                try eventually("all has come") {
                    _ = try alice.receive()
                    shown += try bob.receive().compactMap { $0.text("text") }
                    return shown.count >= submitted.count
                }
                #expect(shown == submitted, "acknowledged: \(acknowledged)")
                measured("sync \(sync) failed after \(acknowledged.count) acknowledged messages")
            }
        }
    }
}
