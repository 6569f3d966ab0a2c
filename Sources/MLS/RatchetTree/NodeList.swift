/// A tree's leaves or its parents, in pieces: who copies a tree and changes a path of it copies, and counts the references to, the nodes of
/// a few pieces and not all of a thousand; and where two copies differ is found without a look at most of them.
package struct NodeList<Node: AnyObject & Equatable & Sendable>: RandomAccessCollection, MutableCollection, Equatable, Sendable {
    private static var pieceCount: Int { 32 }

    /// All full but the last.
    private var pieces: [[Node?]] = []
    package private(set) var count = 0

    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    package init(_ nodes: some Sequence<Node?>) {
        for node in nodes { append(node) }
    }

    package subscript(index: Int) -> Node? {
        get { pieces[index / Self.pieceCount][index % Self.pieceCount] }
        set { pieces[index / Self.pieceCount][index % Self.pieceCount] = newValue }
    }

    private mutating func append(_ node: Node?) {
        if count % Self.pieceCount == 0 { pieces.append([]) }
        pieces[pieces.count - 1].append(node)
        count += 1
    }

    /// Cuts nodes off at the end, or goes on with blanks.
    mutating func resize(to newCount: Int) {
        while count < newCount { append(nil) }
        while count > newCount {
            let excess = Swift.min(count - newCount, pieces[pieces.count - 1].count)
            pieces[pieces.count - 1].removeLast(excess)
            if pieces[pieces.count - 1].isEmpty { pieces.removeLast() }
            count -= excess
        }
    }

    /// Where another list has another object; a shorter one goes on with blanks.
    func changes(to other: NodeList) -> [UInt32] {
        var changed: [UInt32] = []
        for piece in 0..<Swift.max(pieces.count, other.pieces.count) where !isSame(piece, in: other) {
            let start = piece * Self.pieceCount
            for index in start..<Swift.min(start + Self.pieceCount, Swift.max(count, other.count)) {
                let (mine, others) = (index < count ? self[index] : nil, index < other.count ? other[index] : nil)
                if mine !== others { changed.append(UInt32(index)) }
            }
        }
        return changed
    }

    /// Whether a piece is the same memory.
    private func isSame(_ piece: Int, in other: NodeList) -> Bool {
        guard piece < pieces.count, piece < other.pieces.count, pieces[piece].count == other.pieces[piece].count else { return false }
        return pieces[piece].withUnsafeBufferPointer { mine in
            other.pieces[piece].withUnsafeBufferPointer { mine.baseAddress == $0.baseAddress }
        }
    }
}
