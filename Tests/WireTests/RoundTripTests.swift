import Testing
import Vocabulary
import Wire

struct RoundTripTests {
    private func roundTrips<F: Frame>(_: F.Type) throws {
        let schema = try Schema()
        for frame in try F.fixtures() {
            let bytes = frame.serialized()
            #expect(try F(serialized: bytes) == frame)
            // The same by an implementation that knows the `.proto` files only.
            let tree = try #require(Tree(F.message, bytes, schema), "\(frame)")
            #expect(try F(serialized: tree.encoded) == frame)
        }
    }

    /// A frame of the protocol that no fixture covers fails here, so that a new one cannot be forgotten in any test of this target.
    private func covers<F: Frame>(_: F.Type) throws {
        let schema = try Schema()
        var seen: Set<String> = []
        func collect(_ tree: Tree) {
            for (number, value) in tree.fields {
                seen.insert("\(tree.message).\(number)")
                if case .message(let inner) = value { collect(inner) }
            }
        }
        for frame in try F.fixtures() { collect(try #require(Tree(F.message, frame.serialized(), schema))) }
        var open = [F.message]
        var visited: Set<String> = []
        while let message = open.popLast() {
            guard visited.insert(message).inserted else { continue }
            for (number, field) in schema.messages[message] ?? [:] {
                #expect(seen.contains("\(message).\(number)"), "\(message).\(field.name)")
                if schema.messages[field.type] != nil { open.append(field.type) }
            }
        }
    }

    @Test func `client frames come back as they were`() throws { try roundTrips(ClientFrame.self) }
    @Test func `node frames come back as they were`() throws { try roundTrips(NodeFrame.self) }
    @Test func `link frames come back as they were`() throws { try roundTrips(LinkFrame.self) }

    @Test func `every field of the protocol is in some fixture`() throws {
        try covers(ClientFrame.self)
        try covers(NodeFrame.self)
        try covers(LinkFrame.self)
    }

    @Test func `every refusal code travels`() throws {
        for code in Refusal.Code.allCases {
            for epoch in [nil, 0, Epoch(unchecked: counterMax)] {
                let frame = NodeFrame.goodbye(Refusal(code, "é", epoch: epoch))
                #expect(try NodeFrame(serialized: frame.serialized()) == frame)
            }
        }
    }

    @Test func `a refusal's detail is cut between characters, so that it comes back as it was`() throws {
        for padding in 0..<4 {
            let detail = String(repeating: "a", count: padding) + String(repeating: "𝄞", count: 100)
            let refusal = Refusal(.busy, detail)
            #expect(refusal.detail.utf8.count <= Limits.reasonBytesMax && detail.hasPrefix(refusal.detail))
            #expect(try NodeFrame(serialized: NodeFrame.goodbye(refusal).serialized()) == .goodbye(refusal))
        }
    }
}
