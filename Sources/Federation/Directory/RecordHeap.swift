/// Records one after the other in pages of memory: an array for each would cost a tenth more, and leave holes where it was.
package struct RecordHeap: Sendable {
    private static let pageBytes = 256 << 10
    /// Before each record: its slot and its length.
    private static let headBytes = 6
    /// Of a slot that is free.
    private static let nowhere = -1

    private var pages: [[UInt8]] = []
    /// Bytes of each page that nobody needs any more.
    private var garbage: [Int] = []
    /// Empty ones, to be filled again.
    private var spare: [Int] = []
    /// The one that is being filled.
    private var last = -1
    /// Where each slot's record begins: the page above 20 bits of offset.
    private var places: [Int] = []
    private var free: [Int] = []

    package init() {}

    package var count: Int { places.count - free.count }
    package var pageCount: Int { pages.count }
    var slots: Range<Int> { places.indices }

    mutating func reserve(_ count: Int) { places.reserveCapacity(count) }

    /// - Returns: the slot, which stays.
    package mutating func insert(_ bytes: [UInt8]) -> Int {
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = places.count
            places.append(Self.nowhere)
        }
        place(bytes[...], slot)
        return slot
    }

    package mutating func remove(_ slot: Int) {
        guard let bytes = self[slot] else { return }
        let page = places[slot] >> 20
        garbage[page] += bytes.count + Self.headBytes
        places[slot] = Self.nowhere
        free.append(slot)
        if page != last, garbage[page] > Self.pageBytes / 2 { compact(page) }
    }

    /// Nil for a free slot.
    package subscript(slot: Int) -> ArraySlice<UInt8>? {
        guard places[slot] != Self.nowhere else { return nil }
        let (page, start) = (places[slot] >> 20, places[slot] & (1 << 20 - 1))
        return pages[page][start..<(start + Self.length(before: start, in: pages[page]))]
    }

    private mutating func place(_ bytes: ArraySlice<UInt8>, _ slot: Int) {
        if last < 0 || pages[last].count + bytes.count + Self.headBytes > Self.pageBytes { turnPage() }
        let head = UInt64(slot) << 16 | UInt64(bytes.count)
        for byte in (0..<Self.headBytes).reversed() { pages[last].append(UInt8(truncatingIfNeeded: head >> UInt64(8 * byte))) }
        places[slot] = last << 20 | pages[last].count
        pages[last].append(contentsOf: bytes)
    }

    private mutating func turnPage() {
        if let page = spare.popLast() {
            last = page
        } else {
            last = pages.count
            pages.append([])
            garbage.append(0)
        }
        pages[last].reserveCapacity(Self.pageBytes)
    }

    /// Brings what is needed of a page to the last one.
    private mutating func compact(_ page: Int) {
        let old = pages[page]
        (pages[page], garbage[page]) = ([], 0)
        var start = Self.headBytes
        while start < old.count {
            let slot = old[(start - 6)..<(start - 2)].reduce(0) { $0 << 8 | Int($1) }
            let length = Self.length(before: start, in: old)
            if places[slot] == page << 20 | start { place(old[start..<(start + length)], slot) }
            start += length + Self.headBytes
        }
        spare.append(page)
    }

    private static func length(before start: Int, in page: [UInt8]) -> Int { Int(page[start - 2]) << 8 | Int(page[start - 1]) }
}
