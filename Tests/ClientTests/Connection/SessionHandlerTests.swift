import Client
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOWebSocket
import Testing
import Vocabulary

@Suite struct SessionHandlerTests {
    private final class Listener: SessionListener {
        var frames: [NodeFrame] = []
        var ends: [ConnectionEnd] = []
        func opened(on channel: any Channel) {}
        func received(_ frames: [NodeFrame]) { self.frames += frames }
        func ended(_ end: ConnectionEnd) { ends.append(end) }
    }

    private let listener = Listener()
    private let channel = EmbeddedChannel()

    init() throws { try channel.pipeline.syncOperations.addHandler(SessionHandler(connection: listener)) }

    private func ping(_ value: UInt8) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: .ping, data: channel.allocator.buffer(bytes: [value]))
    }

    @Test func `many pings of one read have one pong, with what the last of them said`() throws {
        for value in UInt8(1)...100 { channel.pipeline.fireChannelRead(ping(value)) }
        channel.pipeline.fireChannelReadComplete()
        let pong = try #require(try channel.readOutbound(as: WebSocketFrame.self))
        #expect(pong.opcode == .pong && pong.maskKey != nil)
        #expect(Array(pong.data.readableBytesView) == [100])
        #expect(try channel.readOutbound(as: WebSocketFrame.self) == nil)
        channel.pipeline.fireChannelReadComplete()
        #expect(try channel.readOutbound(as: WebSocketFrame.self) == nil, "answered once")
    }

    @Test func `a node that does not read what waits for it has its session ended`() {
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(listener.ends == [.lost("the node does not read what is sent to it")])
    }

    @Test func `what a node sends against the protocol is told in words`() {
        let errors: [any Error] = [
            NIOWebSocketError.invalidFrameLength, NIOWebSocketError.fragmentedControlFrame,
            NIOWebSocketFrameAggregator.Error.tooManyFragments, NIOWebSocketFrameAggregator.Error.accumulatedFrameSizeIsTooLarge,
            NIOWebSocketFrameAggregator.Error.receivedNewFrameWithoutFinishingPrevious, HTTPParserError.invalidHeaderToken,
            NIOHTTPClientUpgradeError.responseProtocolNotFound,
        ]
        for error in errors {
            guard case .violated(let what) = ConnectionEnd(error) else {
                Issue.record("\(error) passes for a failing network")
                continue
            }
            #expect(what.hasPrefix("It ") && what.contains(" ") && !what.contains("\(error)"), "\(what)")
        }
        channel.pipeline.fireErrorCaught(NIOWebSocketError.invalidFrameLength)
        channel.pipeline.fireChannelRead(WebSocketFrame(fin: true, opcode: .binary, data: channel.allocator.buffer(bytes: [0xff, 0xff])))
        #expect(listener.ends.count == 2)
        for end in listener.ends { if case .lost = end { Issue.record("\(end)") } }
    }
}
