internal import Client
internal import NIOCore
internal import NIOEmbedded

/// The socket between two processes of one profile, in both directions; the first byte chooses.
struct HandoverTarget: FuzzTarget {
    let seeds: [[UInt8]]

    init() {
        let group = GroupAction.create(name: "crew", members: ["bob@tower"])
        let said: [Said] = [
            .request(.join(link: "https://h:1/i/x#y", handle: "alice")), .request(.send(message: "00", target: "bob@tower", text: "hi")),
            .request(.receive(follow: true, events: false)), .request(.group(group)), .request(.settings(.init(readReceipts: true))),
            .shown([1, 2, .max]), .chat(.start), .chat(.ask(.max, .contact(address: "bob@tower", .verify(code: nil)))),
            .chat(.read("thread", through: -1)), .chat(.send(message: "00", thread: "t", text: "hi")),
        ]
        let replies: [Reply] = [
            .page, .done, .begun(group: "00"), .settled, .up, .warning("w"), .chat(.began), .chat(.me("alice@harbor")),
            .chat(.typing("t", ["bob@tower"])), .chat(.answer(7, .done)), .chat(.answer(8, .chat(.answer(9, .up)))),
        ]
        let allocator = ByteBufferAllocator()
        func bytes(_ buffer: ByteBuffer?) -> [UInt8] { buffer.map { Array($0.readableBytesView) } ?? [] }
        let words = said.map { bytes(Handover.encode($0, with: allocator)) }
        let answers = replies.map { bytes(Handover.encode($0, with: allocator)) }
        seeds = words.map { [0] + $0 } + answers.map { [1] + $0 } + [[0] + words.flatMap(\.self)]
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        guard let first = input.first else { return false }
        let bytes = Array(input.dropFirst())
        return first & 1 == 0 ? try check(bytes, as: Said.self) : try check(bytes, as: Reply.self)
    }

    private func check<Message: Codable & Equatable & Sendable>(_ bytes: [UInt8], as _: Message.Type) throws(Finding) -> Bool {
        let read = Pieces.read(bytes, in: [bytes.count], with: HandoverDecoder<Message>(), as: Message.self)
        let slowly = Pieces.read(bytes, in: [3, 1, 7], with: HandoverDecoder<Message>(), as: Message.self)
        try promise(read == slowly, "what is read depends on how it arrives")
        for message in read {
            let again = Handover.encode(message, with: ByteBufferAllocator()).map { Array($0.readableBytesView) } ?? []
            let back = Pieces.read(again, in: [again.count], with: HandoverDecoder<Message>(), as: Message.self)
            try promise(back == [message], "a word is not what it was after encoding and decoding")
        }
        return !read.isEmpty
    }
}

/// Bytes as a socket delivers them.
enum Pieces {
    /// - Parameter sizes: of the reads, round and round.
    /// - Returns: what was read before an error or the end.
    static func read<Decoder: ByteToMessageDecoder, Message>(
        _ bytes: [UInt8], in sizes: [Int], with decoder: Decoder, as _: Message.Type
    ) -> [Message] where Decoder.InboundOut == Message {
        let channel = EmbeddedChannel()
        var found: [Message] = []
        guard (try? channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder))) != nil else { return [] }
        for piece in cut(bytes, in: sizes) {
            let isBroken = (try? channel.writeInbound(ByteBuffer(bytes: piece))) == nil
            while let message = try? channel.readInbound(as: Message.self) { found.append(message) }
            if isBroken { break }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return found
    }

    /// - Parameter sizes: of the pieces, round and round.
    static func cut(_ bytes: [UInt8], in sizes: [Int]) -> [ArraySlice<UInt8>] {
        var (rest, pieces) = (bytes[...], [ArraySlice<UInt8>]())
        while !rest.isEmpty {
            pieces.append(rest.prefix(max(sizes[pieces.count % sizes.count], 1)))
            rest = rest.dropFirst(pieces[pieces.count - 1].count)
        }
        return pieces
    }
}
