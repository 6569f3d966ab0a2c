import Cryptography
import Storage
import Testing
import Vocabulary

@Suite struct RowRangesTests {
    private func rows(_ ranges: [ClosedRange<Int64>]) -> [Int64] { ranges.flatMap { Array($0) } }

    @Test(arguments: UInt64(0)..<20) func `what was inserted and not removed is there, in ranges that do not touch`(seed: UInt64) {
        var (random, ranges, model) = (SeededGenerator(seed: seed), RowRanges(), Set<Int64>())
        for _ in 0..<400 {
            let row = Int64.random(in: 1...60, using: &random)
            if Int.random(in: 0..<3, using: &random) > 0 {
                ranges.insert(row)
                model.insert(row)
            } else {
                ranges.remove(row)
                model.remove(row)
            }
            #expect(rows(ranges.ranges) == model.sorted())
            #expect(zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
            #expect(ranges.count == model.count)
            #expect(ranges.contains(row) == model.contains(row))
            let count = Int.random(in: 0...70, using: &random)
            let (first, rest) = ranges.split(after: count)
            #expect(rows(first) == Array(model.sorted().prefix(count)))
            #expect(rows(rest) == Array(model.sorted().dropFirst(count)))
        }
    }
}
