/// Rows of one conversation's events (`EventKey.row`), as ranges: rising, none beside the next.
package struct RowRanges {
    package private(set) var ranges: [ClosedRange<Int64>] = []

    package init() {}

    package var count: Int { ranges.reduce(0) { $0 + $1.count } }

    package func contains(_ row: Int64) -> Bool {
        let index = firstIndex(endingAtOrAfter: row)
        return index < ranges.count && ranges[index].lowerBound <= row
    }

    package mutating func insert(_ row: Int64) {
        if let last = ranges.last, last.upperBound >= row - 1 {
            if last.upperBound == row - 1 {
                ranges[ranges.count - 1] = last.lowerBound...row
                return
            }
        } else {
            return ranges.append(row...row)
        }
        // The first that it may join, and the one after it.
        let index = firstIndex(endingAtOrAfter: row - 1)
        let found = ranges[index]
        if found.lowerBound <= row, row <= found.upperBound { return }
        if found.upperBound == row - 1 {
            ranges[index] = found.lowerBound...row
            guard index + 1 < ranges.count, ranges[index + 1].lowerBound == row + 1 else { return }
            ranges[index] = found.lowerBound...ranges[index + 1].upperBound
            ranges.remove(at: index + 1)
        } else if found.lowerBound == row + 1 {
            ranges[index] = row...found.upperBound
        } else {
            ranges.insert(row...row, at: index)
        }
    }

    /// - Parameter rows: above all others.
    package mutating func append(_ rows: ClosedRange<Int64>) { ranges.append(rows) }

    package mutating func remove(_ row: Int64) {
        let index = firstIndex(endingAtOrAfter: row)
        guard index < ranges.count, ranges[index].lowerBound <= row else { return }
        let found = ranges[index]
        var rest: [ClosedRange<Int64>] = []
        if found.lowerBound < row { rest.append(found.lowerBound...(row - 1)) }
        if row < found.upperBound { rest.append((row + 1)...found.upperBound) }
        ranges.replaceSubrange(index...index, with: rest)
    }

    /// The lowest so many, and the others.
    package func split(after count: Int) -> (first: [ClosedRange<Int64>], rest: [ClosedRange<Int64>]) {
        var left = count
        for (index, range) in ranges.enumerated() {
            if range.count < left {
                left -= range.count
            } else if range.count == left {
                return (Array(ranges[...index]), Array(ranges[(index + 1)...]))
            } else {
                guard left > 0 else { return (Array(ranges[..<index]), Array(ranges[index...])) }
                let middle = range.lowerBound + Int64(left)
                return (
                    ranges[..<index] + [range.lowerBound...(middle - 1)], [middle...range.upperBound] + ranges[(index + 1)...]
                )
            }
        }
        return (ranges, [])
    }

    private func firstIndex(endingAtOrAfter row: Int64) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < row { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
