import Foundation
import Testing

extension EndToEnd {
    /// Hostile/hostile.py makes the bytes; here is looked at what becomes of the node and of the people on it.
    @Suite struct HostileBytes {
        /// What a node may have more in memory after it all than after a first taste of each.
        private static let memoryGrowthMax = 64 * 1024

        private static let script = (#filePath as NSString).deletingLastPathComponent + "/Hostile/hostile.py"

        /// A world with a node, two users who write to each other, and a stranger's certificate.
        private struct Scene {
            let world: World
            let node: Node
            let alice, bob: User
            let receiver: Program
            let stranger: [String]

            init(_ world: World) throws {
                self.world = world
                node = try Node.found("harbor", in: world)
                (alice, bob) = (try User("alice", at: node), try User("bob", at: node))
                try bob.expect(alice)
                receiver = try bob.follow()
                let (certificate, key) = (world.folder + "/stranger.pem", world.folder + "/stranger.key")
                try world.must(
                    "/usr/bin/env",
                    [
                        "openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=x",
                        "-days", "2",
                    ])
                stranger = [certificate, key]
            }

            var clients: String { "\(node.clientsPort)" }
            var peers: String { "\(node.peersPort)" }
            var admin: String { "\(node.folder)/admin.sock" }

            func attack(_ kind: String, on place: String, count: Int, seed: Int = 1, as identity: [String] = []) throws -> JSONLine {
                let arguments = ["python3", HostileBytes.script, kind, place, "\(seed)", "\(count)"] + identity
                let outcome = try world.run("/usr/bin/env", arguments, within: .seconds(180))
                guard outcome.code == 0, let line = outcome.json.first else { throw Program.Failure(description: "\(outcome)") }
                #expect(node.isRunning, "after \(kind) on \(place): \(node.process?.errors ?? "")")
                #expect(line.number("open") == 0, "the node ends what it cannot read: \(kind) on \(place): \(line)")
                return line
            }

            func othersAreUndisturbed(_ text: String) throws {
                let line = try alice.deliver(text, to: bob)
                measured("delivered \(text): \(line.milliseconds("ms") ?? 0) ms")
                try eventually("bob is shown \(text)") { receiver.texts.contains(text) }
            }

            func everything(seed: Int, times: Int) throws {
                for place in [clients, peers, admin] { _ = try attack("noise", on: place, count: 4 * times, seed: seed) }
                for place in [clients, peers] { _ = try attack("hello-cut", on: place, count: 4 * times, seed: seed) }
                for place in [clients, admin] { _ = try attack("http", on: place, count: 3 * times, seed: seed) }
                _ = try attack("frames", on: clients, count: 8 * times, seed: seed)
                _ = try attack("fragments", on: clients, count: times, seed: seed)
                _ = try attack("pings", on: clients, count: times, seed: seed)
                _ = try attack("links", on: peers, count: 5 * times, seed: seed, as: stranger)
                _ = try attack("links", on: peers, count: times, seed: seed)
            }
        }

        @Test func `no bytes on any listener end the node, fill its memory or disturb others`() throws {
            try World.run { world in
                let scene = try Scene(world)
                try scene.everything(seed: 1, times: 1)
                try scene.othersAreUndisturbed("after a taste")
                let before = scene.node.memory
                for seed in 2...3 {
                    try scene.everything(seed: seed, times: 2)
                    try scene.othersAreUndisturbed("after seed \(seed)")
                }
                let after = scene.node.memory
                measured("resident memory \(before) KiB before, \(after) KiB after")
                #expect(before > 0 && after - before < Self.memoryGrowthMax)
                #expect(try scene.node.stop() == .code(0))
            }
        }

        @Test func `a session that breaks the rules of WebSocket is closed with the code that says which`() throws {
            try World.run { world in
                let scene = try Scene(world)
                let floods = try scene.attack("fragments", on: scene.clients, count: 3)
                #expect(floods["codes"] == .object(["1009": .number(3)]), "too big: \(floods)")
                let frames = try scene.attack("frames", on: scene.clients, count: 48)
                guard case .object(let codes)? = frames["codes"] else { throw Program.Failure(description: "no codes: \(frames)") }
                #expect(Set(codes.keys).isSuperset(of: ["1002", "1009"]), "\(frames)")
                #expect(codes["none"] == nil, "closed without a word: \(frames)")
            }
        }

        @Test func `TLS 1.2 is refused on both ports`() throws {
            try World.run { world in
                let scene = try Scene(world)
                for (place, identity) in [(scene.clients, []), (scene.peers, scene.stranger)] {
                    let line = try scene.attack("tls12", on: place, count: 3, as: identity)
                    #expect(line.number("refused") == 3, "\(line)")
                }
                try scene.othersAreUndisturbed("in TLS 1.3")
            }
        }

        @Test func `clients that say a little and wait keep nobody from writing`() throws {
            try World.run { world in
                let scene = try Scene(world)
                let before = scene.node.memory
                var slow: [Program] = []
                for (place, identity) in [(scene.clients, []), (scene.peers, scene.stranger)] {
                    let fifo = "\(world.folder)/hold-\(place)"
                    mkfifo(fifo, 0o600)
                    // Held until the process is stopped: a pipe that nobody writes to has no end.
                    let command =
                        "exec 3<>'\(fifo)'; exec python3 '\(Self.script)' slow \(place) 1 200 \(identity.joined(separator: " ")) <&3"
                    slow.append(try world.start("/bin/sh", ["-c", command]))
                }
                try eventually("the slow ones are there") { slow.allSatisfy { !$0.lines.isEmpty } }
                try scene.othersAreUndisturbed("beside 400 slow ones")
                let during = scene.node.memory
                measured("400 slow connections: \(during - before) KiB")
                #expect(during - before < Self.memoryGrowthMax)
                #expect(slow.allSatisfy { $0.ended == nil }, "they are still there")
                for program in slow { program.destroy() }
                try scene.othersAreUndisturbed("after they have gone")
                #expect(scene.node.isRunning)
            }
        }
    }
}
