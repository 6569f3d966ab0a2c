/// Decoders that share a target: the first byte says which takes the rest.
struct Decoders: FuzzTarget {
    struct One: Sendable {
        let seeds: [[UInt8]]
        let check: @Sendable ([UInt8]) throws(Finding) -> Bool
    }

    private let all: [One]

    init(_ all: [One]) { self.all = all }

    var seeds: [[UInt8]] {
        all.enumerated().flatMap { index, one in one.seeds.map { [UInt8(truncatingIfNeeded: index)] + $0 } }
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        guard let first = input.first else { return false }
        return try all[Int(first) % all.count].check(Array(input.dropFirst()))
    }
}

extension Decoders.One {
    /// What decodes is encoded to something that decodes to the same.
    /// - Parameters:
    ///   - isCanonical: there is one encoding of each value, as there must be of what is signed or hashed.
    ///   - holds: what else is true of everything that decodes.
    init<T>(
        _ name: String, seeds: [[UInt8]], isCanonical: Bool = false, decode: @escaping @Sendable ([UInt8]) throws -> T,
        encode: @escaping @Sendable (T) -> [UInt8], holds: @escaping @Sendable (T) throws(Finding) -> Void = { _ in }
    ) {
        self.init(seeds: seeds) { bytes throws(Finding) in
            guard let value = try? decode(bytes) else { return false }
            let encoded = encode(value)
            if isCanonical { try promise(encoded == bytes, "two encodings of one \(name)") }
            guard let again = try? decode(encoded) else { throw Finding("a \(name) is encoded to what does not decode") }
            try promise(encode(again) == encoded, "a \(name) is not what it was after encoding and decoding")
            try holds(value)
            return true
        }
    }
}
