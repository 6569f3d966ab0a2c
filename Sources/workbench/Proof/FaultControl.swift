internal import Glibc
internal import Synchronization

/// The handle on a program that was started with the library `FaultShim`: says which of its calls goes wrong, while it runs, and how many
/// calls it has made. The layout is that of `FaultShim.h`.
final class FaultControl: @unchecked Sendable {
    // Unchecked: the memory is shared with other processes anyway; every access is atomic.

    struct Kinds: OptionSet {
        let rawValue: UInt64
        static let write = Kinds(rawValue: 1)
        static let sync = Kinds(rawValue: 2)
        static let size = Kinds(rawValue: 4)
        static let name = Kinds(rawValue: 8)
        static let read = Kinds(rawValue: 16)
        static let open = Kinds(rawValue: 32)
        /// What changes a disk.
        static let changes: Kinds = [.write, .sync, .size, .name]
        static let all: Kinds = [.write, .sync, .size, .name, .read, .open]

        var text: String {
            [(Kinds.write, "write"), (.sync, "sync"), (.size, "size"), (.name, "name"), (.read, "read"), (.open, "open")]
                .filter { contains($0.0) }.map(\.1).joined(separator: "+")
        }
    }

    enum Action {
        case kill, killTorn, killAfter
        case error(Int32)
        case short
        case delay(microseconds: UInt64)

        fileprivate var words: (action: UInt64, argument: UInt64) {
            switch self {
            case .kill: (1, 0)
            case .killTorn: (2, 0)
            case .killAfter: (3, 0)
            case .error(let code): (4, UInt64(clamping: code))
            case .short: (5, 0)
            case .delay(let time): (6, time)
            }
        }
    }

    private enum Word: Int { case calls, at, span, kinds, action, argument, fired, firedKind }

    let path: String
    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    init(path: String) throws {
        self.path = path
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0, ftruncate(file, 4096) == 0,
            let map = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), map != MAP_FAILED
        else { throw LoadFailure("\(path): \(String(cString: strerror(errno)))") }
        close(file)
        words = map.bindMemory(to: Atomic<UInt64>.self, capacity: 8)
    }

    deinit { munmap(words, 4096) }

    private subscript(word: Word) -> UInt64 {
        get { words[word.rawValue].load(ordering: .acquiring) }
        set { words[word.rawValue].store(newValue, ordering: .releasing) }
    }

    var calls: Int { Int(clamping: self[.calls]) }
    var fired: Int { Int(clamping: self[.fired]) }
    var firedKind: Kinds { Kinds(rawValue: self[.firedKind]) }

    /// Counts these kinds from zero, and lets all pass.
    func count(_ kinds: Kinds) {
        self[.at] = 0
        self[.kinds] = kinds.rawValue
        self[.calls] = 0
        self[.fired] = 0
    }

    /// - Parameters:
    ///   - ahead: 1: the next call of these kinds.
    ///   - span: how many calls.
    func arm(_ action: Action, ahead: Int, span: UInt64 = 1, kinds: Kinds) {
        count(kinds)
        (self[.action], self[.argument]) = action.words
        self[.span] = span
        self[.at] = UInt64(ahead)
    }

    /// Words in front of a program that make it suffer.
    func prefix(folder: String) throws -> [String] {
        [
            "/usr/bin/env", "LD_PRELOAD=\(try Self.library())", "POSTHOUSE_FAULT_CONTROL=\(path)", "POSTHOUSE_FAULT_FOLDER=\(folder)",
        ]
    }

    static func library() throws -> String {
        let path = ProofPrograms.folder + "/libFaultShim.so"
        guard access(path, R_OK) == 0 else { throw LoadFailure("\(path) is not there: swift build -c release --product FaultShim") }
        return path
    }
}

/// The programs that are built beside this one.
enum ProofPrograms {
    static let folder: String = {
        guard let own = realpath("/proc/self/exe", nil) else { return "." }
        defer { free(own) }
        return String(cString: own).split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }()

    static var posthouse: String { folder + "/posthouse" }
    static var courier: String { folder + "/courier" }
}
