internal import Cryptography
internal import Glibc
internal import Histories
internal import Vocabulary

/// Nodes whose disks are images: at a moment of full traffic the image is copied as the disk has it, without what the system had not yet
/// written; the node is killed and goes on from the copy.
enum PowerCut: ProofScenario {
    static let name = "power-cut"
    static let about = "disk images copied at full traffic, without what was not synced, and booted"
    static let secondsMin = 20
    static let share = 5

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let federation = ProofFederation(folder: world.folder, running: world.running)
        var disks: [ImageDisk] = []
        defer {
            federation.destroy()
            for disk in disks { disk.remove() }
        }
        for name in ["harbor", "tower"] {
            do { disks.append(try ImageDisk(name, world)) } catch {
                return part.skip("power-cut", "an image cannot be mounted here (\(error))")
            }
            try federation.make(name, data: disks[disks.count - 1].mountPoint + "/data").start()
        }
        try federation.awaitLinks()
        let history = ProofHistory(file: world.historyFile)
        let town = try ProofTown(federation, history, users: 16, seed: world.seed)
        defer { town.fleet.stop() }
        let churn = ProofChurn(town, random: world.random(1))
        var random = world.random(2)
        history.note("nodes", .plan(fault: "power cut"))
        town.fleet.send()
        var (cuts, images, copying) = (0, 0, [Int64]())
        var lastNote = LoadClock.now
        while !world.isOver {
            let until = LoadClock.now + .milliseconds(Int64.random(in: 30...500, using: &random))
            while LoadClock.now < until {
                try churn.poll()
                usleep(1_000)
            }
            // Both at once, or one of them.
            let victims = Int.random(in: 0...2, using: &random)
            let chosen = federation.nodes.indices.filter { victims == 2 || $0 == victims }
            for index in chosen { federation.nodes[index].signal(SIGSTOP) }
            for index in chosen { try federation.nodes[index].awaitStopped() }
            for index in chosen {
                let start = LoadClock.now
                try disks[index].copy()
                copying.append((LoadClock.now - start).nanoseconds)
            }
            for index in chosen { try federation.nodes[index].crash() }
            for index in chosen {
                try disks[index].become()
                history.note(federation.nodes[index].name, .fault("power cut"))
                try federation.nodes[index].start()
                town.fleet.hurry(home: index)
                images += 1
            }
            cuts += 1
            if LoadClock.now - lastNote > .seconds(10) {
                lastNote = LoadClock.now
                note("power-cut: \(images) images, \(history.counts.accepted) accepted")
            }
        }
        history.note("nodes", .healed)
        town.fleet.hurry()
        try town.conclude(&part)
        part.judge(history)
        for node in federation.nodes { try node.stop() }
        part.add("cuts", cuts)
        part.add("images", images)
        let sorted = copying.sorted()
        if !sorted.isEmpty { part.raise("copying_ms_p50", Double(sorted[sorted.count / 2]) / 1e6) }
    }
}

/// A file with an ext4 file system in it, mounted; and a copy of it as it stands.
private final class ImageDisk {
    let mountPoint: String
    private let image: String
    private let world: ProofWorld

    init(_ name: String, _ world: ProofWorld) throws {
        self.world = world
        (image, mountPoint) = ("\(world.folder)/\(name).image", "\(world.folder)/\(name).disk")
        mkdir(mountPoint, 0o700)
        try world.tool("truncate", "-s", "160M", image)
        try world.tool("mkfs.ext4", "-q", "-F", image)
        try mount()
    }

    private func mount() throws { try world.tool("mount", "-o", "loop", image, mountPoint) }

    /// What is on the disk now: what only the system's memory has is not in it. Holes stay holes.
    func copy() throws {
        let (source, target) = (open(image, O_RDONLY | O_CLOEXEC), open(image + ".copy", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600))
        defer {
            close(source)
            close(target)
        }
        let size = lseek(source, 0, SEEK_END)
        guard source >= 0, target >= 0, size > 0, ftruncate(target, size) == 0 else { throw failure }
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        var position: off_t = 0
        while true {
            // Glibc's module has no names for these: SEEK_DATA and SEEK_HOLE.
            let start = lseek(source, position, 3)
            guard start >= 0 else { break }
            let end = lseek(source, start, 4)
            position = start
            while position < end {
                let count = pread(source, &piece, min(piece.count, Int(end - position)), position)
                guard count > 0, pwrite(target, piece, count, position) == count else { throw failure }
                position += off_t(count)
            }
        }
    }

    private var failure: LoadFailure { LoadFailure("copying \(image): \(String(cString: strerror(errno)))") }

    /// The copy takes the place of the disk, whose user is gone.
    func become() throws {
        try world.tool("umount", mountPoint)
        guard rename(image + ".copy", image) == 0 else { throw failure }
        try mount()
    }

    func remove() { _ = try? world.tool("umount", mountPoint) }
}

extension ProofNode {
    /// Waits until SIGSTOP has stopped all of it.
    func awaitStopped() throws {
        guard let process else { throw LoadFailure("\(name) does not run") }
        let deadline = LoadClock.now + .seconds(10)
        while true {
            let text = Files.text("/proc/\(process.pid)/stat")
            // The second field is the name in parentheses and may hold spaces.
            if let end = text.lastIndex(of: ")"), text[end...].dropFirst(2).first == "T" { return }
            guard LoadClock.now < deadline else { throw LoadFailure("\(name) does not stop") }
            usleep(200)
        }
    }
}
