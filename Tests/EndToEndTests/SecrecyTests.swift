import Foundation
import Testing

extension EndToEnd {
    /// What a thief of a disk would find. The words are looked for raw, in hex and in base64 at each of its three alignments.
    @Suite struct Secrecy {
        private static let secretText = "canary-text-Zq8vXw3mPd7k"

        /// All files below a folder but sockets.
        private static func files(_ folder: String, except: Set<String> = []) -> [String] {
            let all = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
            return all.filter { name in
                var isFolder: ObjCBool = false
                let exists = FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder)
                return exists && !isFolder.boolValue && !except.contains((name as NSString).lastPathComponent) && !name.hasSuffix(".sock")
            }.sorted().map { "\(folder)/\($0)" }
        }

        private static func bytes(_ file: String) -> [UInt8] { Array((try? Data(contentsOf: URL(fileURLWithPath: file))) ?? Data()) }

        /// Where the words are found: nothing, if all is well.
        private static func finds(_ canaries: [Canary], in files: [String]) -> [String] {
            files.flatMap { file in
                let content = bytes(file)
                return canaries.flatMap { canary in canary.finds(in: content).map { "\(canary.name) as \($0) in \(file)" } }
            }
        }

        private static func identifiers(of user: User) throws -> [Canary] {
            try ["user", "device"].map { Canary("\($0) of \(user.handle)", hex: try #require(user.identity.text($0))) }
                + [Canary("handle \(user.handle)", text: user.handle)]
        }

        @Test func `the search finds what is there`() {
            let canary = Canary("text", text: Self.secretText)
            for padding in 0..<3 {
                let before = [UInt8](repeating: 7, count: padding)
                let data = Data(before + Array(Self.secretText.utf8) + [9, 9])
                #expect(!canary.finds(in: Array(data)).isEmpty)
                #expect(!canary.finds(in: Array(data.base64EncodedString().utf8)).isEmpty, "alignment \(padding)")
                let urlSafe = data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
                #expect(!canary.finds(in: Array(urlSafe.utf8)).isEmpty, "alignment \(padding)")
                #expect(!canary.finds(in: Array(data.map { String(format: "%02X", $0) }.joined().utf8)).isEmpty)
            }
            #expect(canary.finds(in: Array("canary-text, but another".utf8)).isEmpty)
        }

        @Test func `a queued message shows on disk neither its text nor who writes to whom, and a delivered one is gone`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let nodes = [harbor, tower]
                let (alice, bob) = (try User("alice-of-the-canaries", at: harbor), try User("bob-of-the-canaries", at: tower))
                try bob.expect(alice)
                let message = try alice.deliver(Self.secretText, to: bob, wait: "accepted")
                let conversation = try #require(try alice.history(with: bob).first?.text("conversation"))
                let text = Canary("text", text: Self.secretText)
                let traces = [
                    text, Canary("message id", hex: try #require(message.text("id"))), Canary("conversation id", hex: conversation),
                ]
                let people = try Self.identifiers(of: alice) + Self.identifiers(of: bob)

                try eventually("it waits at tower") { try tower.status.number("queuedMessages") ?? 0 >= 1 }
                for node in nodes {
                    let all = Self.files(node.folder, except: ["storage.key"])
                    #expect(all.contains { $0.hasSuffix("store.db") || $0.hasSuffix("store.db-wal") })
                    #expect(Self.finds(traces + people, in: all) == [])
                    #expect(Self.finds(traces + people, in: [node.folder + ".log"]) == [], "the log")
                }
                // The same once it is in the store itself, not in its log.
                for node in nodes { try node.stop() }
                for node in nodes { #expect(Self.finds(traces + people, in: Self.files(node.folder)) == []) }

                for node in nodes { try node.start() }
                #expect(try bob.receive().map { $0.text("text") } == [Self.secretText])
                try eventually("its sender learns it") {
                    _ = try alice.receive()
                    return try alice.history(with: bob).first?.isDelivered == true
                }
                try eventually("no node holds it, nor the keys and receipts that follow it") {
                    for user in [bob, alice] { _ = try user.receive() }
                    return try nodes.allSatisfy { try $0.status.number("queuedMessages") == 0 }
                }
                for node in nodes { try node.stop() }
                for node in nodes { #expect(Self.finds(traces + people, in: Self.files(node.folder)) == []) }
                for user in [alice, bob] {
                    #expect(Self.finds(traces + people, in: Self.files(user.profile)) == [], "\(user.handle)'s own profile")
                }
            }
        }

        /// That nothing is found could be because it is sealed; that the store does not grow shows that it is gone.
        @Test func `what was delivered takes no room once the node is idle`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try bob.expect(alice)
                try alice.deliver("first", to: bob, wait: "accepted")
                _ = try bob.receive()
                _ = try alice.receive()
                try harbor.stop()
                func size() -> Int {
                    Self.files(harbor.folder).filter { $0.contains("/store.db") }.map { Self.bytes($0).count }.reduce(0, +)
                }
                let before = size()
                try harbor.start()
                for _ in 0..<20 { try alice.deliver(String(repeating: "long ", count: 3000), to: bob, wait: "accepted") }
                try harbor.stop()
                let full = size()
                try harbor.start()
                #expect(try bob.receive().count == 20)
                try eventually("nothing waits, not even a receipt") {
                    _ = try alice.receive()
                    return try harbor.status.number("queuedMessages") == 0
                }
                try harbor.stop()
                let after = size()
                measured("store \(before) bytes, \(full) with 20 messages of 15,000 bytes, \(after) after delivery")
                #expect(full - before > 20 * 15_000)
                // Pages that are free again may stay, but with nothing in them.
                let zeros = Self.bytes(harbor.folder + "/store.db").count { $0 == 0 }
                #expect(after - zeros < before + 64 * 1024, "\(after) bytes, \(zeros) of them zero")
            }
        }
    }

    /// A secret word and the forms in which it could stand in a file.
    struct Canary: Sendable {
        let name: String
        private let forms: [(name: String, bytes: [UInt8])]

        init(_ name: String, text: String) { self.init(name, Array(text.utf8)) }

        init(_ name: String, hex: String) {
            let digits = Array(hex)
            self.init(name, stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) })
        }

        init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            let hex = bytes.map { String(format: "%02x", $0) }.joined()
            var forms: [(String, [UInt8])] = [("raw", bytes), ("hex", Array(hex.utf8)), ("HEX", Array(hex.uppercased().utf8))]
            for alignment in 0..<3 {
                // The characters that depend on what stands before and after are left out.
                let padded = Data([UInt8](repeating: 0, count: alignment) + bytes)
                let whole = padded.base64EncodedString().replacingOccurrences(of: "=", with: "")
                let first = (alignment * 8 + 5) / 6
                let last = padded.count * 8 / 6
                let core = String(Array(whole)[first..<last])
                forms.append(("base64", Array(core.utf8)))
                forms.append(
                    ("base64url", Array(core.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_").utf8)))
            }
            self.forms = forms
        }

        /// The forms in which it is there.
        func finds(in content: [UInt8]) -> [String] {
            let data = Data(content)
            return forms.filter { data.range(of: Data($0.bytes)) != nil }.map(\.name)
        }
    }
}
