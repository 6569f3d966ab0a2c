import RelayNode
import Testing
import Vocabulary

@Suite(.timeLimit(.minutes(1))) struct AcceptTurnsTests {
    private let start = Instant.start + .seconds(10)

    @Test func `while users write connections are taken one at a time, with a rest behind each`() {
        var turns = AcceptTurns()
        #expect(turns.rest(at: start, wrote: start) == nil)
        turns.accepted(at: start)
        #expect(turns.rest(at: start, wrote: start) == start + AcceptTurns.rest)
        #expect(turns.rest(at: start + AcceptTurns.rest, wrote: start) == nil)
    }

    @Test func `where nobody writes, as after a restart, they are taken as fast as they come`() {
        var turns = AcceptTurns()
        turns.accepted(at: start)
        #expect(turns.rest(at: start, wrote: nil) == nil)
        #expect(turns.rest(at: start, wrote: .start + .seconds(9)) == nil)
    }

    @Test func `all that come at once while users write are served, after their rests`() async throws {
        let node = try TestNode()
        node.network.noteWrite(at: Clock.now)
        var clients: [TestClient] = []
        for _ in 0..<20 { clients.append(try await TestClient(node.addresses.clients)) }
        for client in clients {
            await client.upgrade()
            #expect(client.status == 101)
        }
    }
}
