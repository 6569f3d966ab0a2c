internal import Foundation
internal import MLSVectors

/// libFuzzer's entry: the first byte says how the rest comes to the group (`MLSFuzzer.Way`). A trap is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func oneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    guard var fuzzer = prepared, let first = bytes.first, let way = MLSFuzzer.Way(rawValue: first) else { return -1 }
    fuzzer.take(Array(bytes.dropFirst()), as: way)
    return 0
}

/// The honest inputs, for `-runs=0`: written once into the folder that MLS_FUZZ_SEEDS names.
private let prepared: MLSFuzzer? = {
    guard let fuzzer = try? MLSFuzzer(seed: 1) else { return nil }
    if let folder = ProcessInfo.processInfo.environment["MLS_FUZZ_SEEDS"] {
        for (index, seed) in fuzzer.seeds.enumerated() {
            try? Data([seed.way.rawValue] + seed.bytes).write(to: URL(fileURLWithPath: folder).appendingPathComponent("seed-\(index)"))
        }
    }
    return fuzzer
}()
