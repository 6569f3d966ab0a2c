internal import Foundation
internal import FuzzTargets

/// Before the first input: what a target needs, a federation of nodes with users, is not counted as the time that an input takes.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutablePointer<CInt>?, _ words: UnsafeMutableRawPointer?) -> CInt {
    _ = target
    return 0
}

/// libFuzzer's entry. FUZZ_TARGET says which target takes the inputs. A trap is a finding; so is a promise that does not hold.
@_cdecl("LLVMFuzzerTestOneInput")
public func oneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // One thread: libFuzzer calls from its own alone.
    do throws(Finding) {
        _ = try target.take(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch { fatalError("finding: \(error)") }
    return 0
}

/// With its honest inputs in FUZZ_SEEDS, if that names a folder: written once, for `-runs=0`.
private nonisolated(unsafe) var target: any FuzzTarget = {
    let environment = ProcessInfo.processInfo.environment
    guard let name = environment["FUZZ_TARGET"], let made = try? FuzzTargets.make(name) else {
        fatalError("FUZZ_TARGET is one of: \(FuzzTargets.all.map(\.name).joined(separator: " "))")
    }
    if let folder = environment["FUZZ_SEEDS"] {
        for (index, seed) in made.seeds.enumerated() {
            try? Data(seed).write(to: URL(fileURLWithPath: folder).appendingPathComponent("seed-\(index)"))
        }
    }
    return made
}()
