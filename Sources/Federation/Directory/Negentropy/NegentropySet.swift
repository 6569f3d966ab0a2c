internal import Vocabulary

/// A sorted set that a peer's set is compared with: any range's sum in microseconds at a million items, and cheap to change.
///
/// Items lie in blocks of some hundreds; each block knows how many items come before it and their sum. The sum of a range is then the
/// difference of two block sums and what is left of two blocks, and a change moves one block's items and corrects the blocks after it.
package struct NegentropySet: Sendable {
    private struct Block: Sendable {
        var items: [NegentropyItem]
        var countBefore: Int
        var sumBefore: NegentropySum
    }

    /// A block this full is halved. 1,024 items are 40 KiB: moving half of them costs about what summing them does.
    private static let blockItemsMax = 1_024
    /// Blocks made at once are this full, so that the first changes need not split them.
    private static let blockItemsAtFirst = 896

    private var blocks: [Block] = []
    package private(set) var count = 0

    package init() {}

    /// From items in any order; repeated ones count once.
    package init(_ unsorted: [NegentropyItem]) {
        var items = unsorted
        items.sort()
        var block: [NegentropyItem] = []
        var sum = NegentropySum.zero
        var blockSum = NegentropySum.zero
        var last: NegentropyItem?
        func flushed(_ blocks: inout [Block], _ count: inout Int) {
            guard !block.isEmpty else { return }
            blocks.append(Block(items: block, countBefore: count, sumBefore: sum))
            count += block.count
            sum += blockSum
            (block, blockSum) = ([], .zero)
        }
        for item in items where item != last {
            last = item
            block.append(item)
            blockSum += NegentropySum(item.id)
            if block.count == Self.blockItemsAtFirst { flushed(&blocks, &count) }
        }
        flushed(&blocks, &count)
    }

    // MARK: Changing

    /// - Returns: false if it was there already.
    @discardableResult
    package mutating func insert(_ item: NegentropyItem) -> Bool {
        guard !blocks.isEmpty else {
            blocks = [Block(items: [item], countBefore: 0, sumBefore: .zero)]
            count = 1
            return true
        }
        let block = blockHolding(item)
        let place = Self.lowerBound(of: item, in: blocks[block].items)
        if place < blocks[block].items.count, blocks[block].items[place] == item { return false }
        blocks[block].items.insert(item, at: place)
        count += 1
        let sum = NegentropySum(item.id)
        for later in (block + 1)..<max(blocks.count, block + 1) {
            blocks[later].countBefore += 1
            blocks[later].sumBefore += sum
        }
        if blocks[block].items.count >= Self.blockItemsMax { split(block) }
        return true
    }

    /// - Returns: false if it was not there.
    @discardableResult
    package mutating func remove(_ item: NegentropyItem) -> Bool {
        guard !blocks.isEmpty else { return false }
        let block = blockHolding(item)
        let place = Self.lowerBound(of: item, in: blocks[block].items)
        guard place < blocks[block].items.count, blocks[block].items[place] == item else { return false }
        blocks[block].items.remove(at: place)
        count -= 1
        let sum = NegentropySum(item.id)
        for later in (block + 1)..<max(blocks.count, block + 1) {
            blocks[later].countBefore -= 1
            blocks[later].sumBefore -= sum
        }
        if blocks[block].items.isEmpty { blocks.remove(at: block) }
        return true
    }

    private mutating func split(_ block: Int) {
        let half = blocks[block].items.count / 2
        var sum = blocks[block].sumBefore
        for item in blocks[block].items[..<half] { sum += NegentropySum(item.id) }
        let upper = Block(items: Array(blocks[block].items[half...]), countBefore: blocks[block].countBefore + half, sumBefore: sum)
        blocks[block].items = Array(blocks[block].items[..<half])
        blocks.insert(upper, at: block + 1)
    }

    // MARK: Reading

    package func contains(_ item: NegentropyItem) -> Bool {
        let place = lowerBound(of: item)
        return place < count && self[place] == item
    }

    /// - Precondition: `0..<count` contains the place.
    package subscript(place: Int) -> NegentropyItem {
        let block = blockHolding(place: place)
        return blocks[block].items[place - blocks[block].countBefore]
    }

    /// The first place whose item is not below this one; `count` if there is none.
    package func lowerBound(of item: NegentropyItem) -> Int {
        guard !blocks.isEmpty else { return 0 }
        let block = blockHolding(item)
        return blocks[block].countBefore + Self.lowerBound(of: item, in: blocks[block].items)
    }

    /// The items of a range, rising, until the body says false.
    func forEach(in range: Range<Int>, _ body: (Int, NegentropyItem) -> Bool) {
        guard !range.isEmpty else { return }
        var block = blockHolding(place: range.lowerBound)
        var place = range.lowerBound
        while place < range.upperBound, block < blocks.count {
            let before = blocks[block].countBefore
            let end = min(range.upperBound - before, blocks[block].items.count)
            for index in (place - before)..<end {
                guard body(before + index, blocks[block].items[index]) else { return }
            }
            place = before + end
            block += 1
        }
    }

    func sum(of range: Range<Int>) -> NegentropySum {
        var sum = sum(before: range.upperBound)
        sum -= self.sum(before: range.lowerBound)
        return sum
    }

    private func sum(before place: Int) -> NegentropySum {
        guard place > 0 else { return .zero }
        let block = blockHolding(place: place - 1)
        var sum = blocks[block].sumBefore
        for item in blocks[block].items[..<(place - blocks[block].countBefore)] { sum += NegentropySum(item.id) }
        return sum
    }

    /// The block an item is in, or would be: the last one whose first item is not above it.
    private func blockHolding(_ item: NegentropyItem) -> Int {
        max(0, firstBlock { item < $0.items[0] } - 1)
    }

    private func blockHolding(place: Int) -> Int {
        max(0, firstBlock { $0.countBefore > place } - 1)
    }

    /// Binary search; the blocks that hold are all after those that do not.
    private func firstBlock(where holds: (borrowing Block) -> Bool) -> Int {
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if holds(blocks[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private static func lowerBound(of item: NegentropyItem, in items: [NegentropyItem]) -> Int {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if items[middle] < item { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
