import Foundation
import Testing

extension EndToEnd {
    @Suite struct StopAndStart {
        @Test func `a node stops on SIGTERM, starts again on its ports, and nothing is missing`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try bob.expect(alice)
                let receiver = try bob.follow()
                for round in 1...3 {
                    let ports = (harbor.clientsPort, harbor.peersPort, tower.clientsPort, tower.peersPort)
                    try alice.deliver("round \(round)", to: bob)
                    let start = ContinuousClock.now
                    for node in [harbor, tower] { #expect(try node.stop() == .code(0)) }
                    measured("two nodes stopped after \(ContinuousClock.now - start)")
                    for node in [harbor, tower] { try node.start() }
                    #expect(ports == (harbor.clientsPort, harbor.peersPort, tower.clientsPort, tower.peersPort))
                }
                try alice.deliver("the end", to: bob)
                try eventually("all are shown") { receiver.texts == ["round 1", "round 2", "round 3", "the end"] }
            }
        }

        @Test func `a node that was killed needs nobody to start again`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                for round in 1...5 {
                    try alice.deliver("round \(round)", to: bob, wait: "sent")
                    try harbor.restart()
                }
                #expect(try bob.receive().map { $0.text("text") } == (1...5).map { "round \($0)" })
            }
        }

        @Test func `a node whose admin socket somebody removed is reached again without a restart`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                #expect(unlink("\(harbor.folder)/admin.sock") == 0)
                try eventually("commands reach it") { try harbor.command(["status"]).code == 0 }
                #expect(try harbor.stop() == .code(0))
            }
        }

        @Test func `one process has a data folder`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let second = try harbor.command(["run"])
                #expect(second.code == 78 && second.explains, "\(second)")
                #expect(harbor.isRunning)
                #expect(try world.run("posthouse", ["init", "--data", harbor.folder, "--name", "harbor"]).code == 78)
            }
        }

        @Test func `keys that others can read, and settings that nobody knows, are refused with the remedy`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                try harbor.stop()
                for (path, mode) in [("keys/node.key", 0o644), ("keys/storage.key", 0o640), ("keys", 0o755)] {
                    let file = "\(harbor.folder)/\(path)"
                    chmod(file, mode_t(mode))
                    let outcome = try harbor.command(["run"])
                    #expect(outcome.code == 78 && outcome.explains && outcome.errors.contains("chmod"), "\(outcome)")
                    #expect(try harbor.command(["check"]).code == 78)
                    chmod(file, path == "keys" ? 0o700 : 0o600)
                }
                let settings = "\(harbor.folder)/posthouse.json"
                let good = try String(contentsOfFile: settings, encoding: .utf8)
                for (bad, word) in [
                    (good.replacingOccurrences(of: "\"name\"", with: "\"colour\": 1, \"name\""), "colour"),
                    (good.replacingOccurrences(of: "127.0.0.1", with: "0.0.0.0"), "public"), ("{", "JSON"), ("[]", "JSON"),
                ] {
                    try bad.write(toFile: settings, atomically: true, encoding: .utf8)
                    let outcome = try harbor.command(["run"])
                    #expect(outcome.code == 78 && outcome.explains && outcome.errors.contains(word), "\(outcome)")
                }
                try good.write(toFile: settings, atomically: true, encoding: .utf8)
                try harbor.start()
            }
        }

        @Test func `a port that another program has is named, and so is a folder that cannot be written`() throws {
            try World.run { world in
                let (harbor, other) = (try Node.found("harbor", in: world), try Node.found("other", in: world))
                try harbor.stop()
                let settings = "\(harbor.folder)/posthouse.json"
                let good = try String(contentsOfFile: settings, encoding: .utf8)
                for key in ["clients", "peers"] {
                    let pattern = "\"\(key)\" : \"127.0.0.1:0\""
                    let bad = good.replacingOccurrences(of: pattern, with: "\"\(key)\" : \"127.0.0.1:\(other.peersPort)\"")
                    #expect(bad != good, "the settings are written as \(pattern)")
                    try bad.write(toFile: settings, atomically: true, encoding: .utf8)
                    let outcome = try harbor.command(["run"])
                    #expect(outcome.code == 78 && outcome.explains && outcome.errors.contains("\(other.peersPort)"), "\(outcome)")
                }
                let file = world.folder + "/file"
                try "".write(toFile: file, atomically: true, encoding: .utf8)
                for program in ["init", "join"] {
                    let arguments =
                        program == "init" ? ["init", "--name", "x"] : ["federation", "join", try other.ticket(for: "x"), "--yes"]
                    let outcome = try world.run(
                        "posthouse", arguments + ["--data", file + "/x", "--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0"])
                    #expect(outcome.code == 74 && outcome.explains, "\(outcome)")
                }
            }
        }
    }
}

extension World.Outcome {
    /// One clear message: what, why, remedy, and nothing else.
    var explains: Bool {
        errors.components(separatedBy: "\nwhy: ").count == 2 && errors.components(separatedBy: "\nremedy: ").count == 2
            && errors.split(separator: "\n").count <= 4
    }
}
