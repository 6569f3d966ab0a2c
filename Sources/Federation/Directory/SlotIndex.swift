/// A hash table from a 32-bit hash to slots of some table, eight bytes a cell; it holds no keys, so the caller compares. Several slots
/// may share a hash. A `Dictionary` with the ids in it would take five times as much, a million times.
///
/// Only looked up, never iterated: the order of its cells reaches nothing.
struct SlotIndex: Sendable {
    /// Hash in the upper half, slot + 1 in the lower; 0: empty.
    private var cells: [UInt64] = [UInt64](repeating: 0, count: 16)
    private var count = 0

    /// Before the first is inserted.
    mutating func reserve(_ slots: Int) {
        guard count == 0 else { return }
        var size = cells.count
        while (slots + 1) * 4 > size * 3 { size *= 2 }
        cells = [UInt64](repeating: 0, count: size)
    }

    private var mask: Int { cells.count - 1 }

    mutating func insert(hash: UInt32, slot: Int) {
        if (count + 1) * 4 > cells.count * 3 { grow() }
        place(UInt64(hash) << 32 | UInt64(slot + 1))
        count += 1
    }

    mutating func remove(hash: UInt32, slot: Int) {
        let cell = UInt64(hash) << 32 | UInt64(slot + 1)
        var hole = Int(hash) & mask
        while cells[hole] != cell {
            guard cells[hole] != 0 else { return }
            hole = (hole + 1) & mask
        }
        count -= 1
        // What follows moves up, unless it would leave the run that its hash begins.
        var next = (hole + 1) & mask
        while cells[next] != 0 {
            let home = Int(cells[next] >> 32) & mask
            if (next - home) & mask >= (next - hole) & mask {
                cells[hole] = cells[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        cells[hole] = 0
    }

    func first(hash: UInt32, where matches: (Int) -> Bool) -> Int? {
        var place = Int(hash) & mask
        while cells[place] != 0 {
            if cells[place] >> 32 == UInt64(hash) {
                let slot = Int(cells[place] & 0xffff_ffff) - 1
                if matches(slot) { return slot }
            }
            place = (place + 1) & mask
        }
        return nil
    }

    func all(hash: UInt32, where matches: (Int) -> Bool) -> [Int] {
        var slots: [Int] = []
        _ = first(hash: hash) { slot in
            if matches(slot) { slots.append(slot) }
            return false
        }
        return slots
    }

    private mutating func place(_ cell: UInt64) {
        var place = Int(cell >> 32) & mask
        while cells[place] != 0 { place = (place + 1) & mask }
        cells[place] = cell
    }

    private mutating func grow() {
        let old = cells
        cells = [UInt64](repeating: 0, count: old.count * 2)
        for cell in old where cell != 0 { place(cell) }
    }
}
