/// A large value of a table, in a place of its own: who looks at a part of it copies that part alone, and a table that grows moves one
/// reference.
///
/// A value all the same: with a second owner a change makes a copy first.
///
/// Unchecked: what is stored changes only while nobody else has it.
struct Boxed<Value: Sendable>: @unchecked Sendable {
    private final class Storage {
        var value: Value
        init(_ value: Value) { self.value = value }
    }

    private var storage: Storage

    init(_ value: Value) { storage = Storage(value) }

    var value: Value {
        _read { yield storage.value }
        _modify {
            if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.value) }
            yield &storage.value
        }
    }

    /// For several looks at once.
    func read<R>(_ body: (Value) -> R) -> R { body(storage.value) }

    /// For several changes at once.
    mutating func change<R>(_ body: (inout Value) -> R) -> R { body(&value) }
}
