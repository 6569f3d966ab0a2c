import MLS
import Testing
import Vocabulary

@Suite struct CodecTests {
    @Test(
        arguments: [[0xc0, 0, 0, 0], [0xff, 0, 0, 0, 0, 0, 0, 1], [0x40, 0x01], [0x40, 0x3f], [0x80, 0, 0, 1], [0x80, 0, 0x3f, 0xff]]
            as [[UInt8]])
    func `lengths that are too wide or not minimal are refused`(header: [UInt8]) {
        var reader = ByteReader(header + Array(repeating: 0, count: 80))
        #expect(throws: CodecError.self) { _ = try reader.opaque() }
    }

    @Test(arguments: [[], [0x40], [0x80, 0, 0], [1], [0x40, 0x40], [0xbf, 0xff, 0xff, 0xff]] as [[UInt8]])
    func `lengths that are cut off or go past the end are refused`(bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        #expect(throws: CodecError.truncated) { _ = try reader.opaque() }
    }

    @Test func `a length past the end, trailing bytes, unknown values are refused`() {
        for bytes: [UInt8] in [
            [], [0], [0, 1], [0, 2, 0, 1], [0, 1, 0, 0], [0, 1, 0, 6], [0, 1, 0xff, 0xff], [0, 1, 0, 5, 0xbf, 0xff, 0xff, 0xff],
            [0, 1, 0, 3, 0, 1, 0, 0, 9],
        ] {
            #expect(throws: MLSError.self) { try MLSMessage(bytes) }
        }
    }

    @Test func `tree math answers for every node of every tree without a trap`() {
        let sizes: [UInt32] = [1, 2, 4, 8, 1 << 16]
        for leaves in sizes {
            let nodes: [UInt32] = [0, 1, 2, leaves, 2 * leaves - 2, 2 * leaves, UInt32.max - 1]
            for node in nodes {
                _ = (TreeMath.parent(node, leaves: leaves), TreeMath.sibling(node, leaves: leaves))
                if node < 2 * leaves - 1 { _ = (TreeMath.left(node), TreeMath.right(node), TreeMath.span(node)) }
            }
        }
        #expect(TreeMath.commonAncestor(0, 1) == 1 && TreeMath.commonAncestor(1, 2) == 3 && TreeMath.commonAncestor(5, 5) == 10)
    }
}
