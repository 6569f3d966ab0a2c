/// The lines of one conversation that are in memory: the newest page and what was loaded before it.
struct Timeline: Sendable {
    private(set) var lines: [ThreadLine] = []
    /// The client has lines before the first one here.
    private(set) var hasOlder = false
    /// The first line of others that was not read when the page came.
    private(set) var firstNew: String?
    var view = View.end
    /// A page of older lines is on its way.
    var isLoading = false
    private var bytes = 0

    /// Which row is the lowest on the screen. Named by a line, so that it stays when lines come and the terminal changes its size.
    enum View: Hashable, Sendable {
        case end
        /// `below` rows of that line are under the screen's edge.
        case line(String, below: Int)
    }

    var isFull: Bool { lines.count >= ScreenLimits.linesPerThreadMax || bytes >= ScreenLimits.bytesPerThreadMax }

    /// The highest number here.
    var newest: UInt64? { lines.last { $0.number != nil }?.number }

    func index(of id: String) -> Int? { lines.lastIndex { $0.id == id } }

    /// The client's newest page takes the place of all that is here.
    mutating func replace(_ page: [ThreadLine], hasOlder: Bool, readThrough: UInt64?) {
        (lines, bytes, isLoading, view) = ([], 0, false, .end)
        self.hasOlder = hasOlder
        for line in page.suffix(ScreenLimits.linesPerThreadMax) { put(line) }
        firstNew = readThrough.flatMap { through in lines.first { !$0.isOwn && ($0.number ?? 0) > through }?.id }
    }

    /// Who answers has read what was new; and wants to see what he wrote.
    mutating func answered() { (firstNew, view) = (nil, .end) }

    /// - Parameter page: what comes before the first line here, the oldest first.
    mutating func prepend(_ page: [ThreadLine], hasOlder: Bool) {
        isLoading = false
        self.hasOlder = hasOlder
        var known = Set(lines.map(\.id))
        let new = page.filter { known.insert($0.id).inserted }
        let room = max(0, ScreenLimits.linesPerThreadMax - lines.count)
        if new.count > room { self.hasOlder = true }
        lines = new.suffix(room) + lines
        bytes += new.suffix(room).reduce(0) { $0 + $1.bytes }
    }

    /// Adds a line in its place, or changes the one that has its id.
    mutating func put(_ line: ThreadLine) {
        if let at = index(of: line.id) {
            bytes += line.bytes - lines[at].bytes
            if lines[at].number == line.number {
                lines[at] = line
                return trim()
            }
            lines.remove(at: at)
        } else {
            bytes += line.bytes
        }
        if let number = line.number {
            let before = lines.lastIndex { $0.number.map { $0 <= number } ?? false }
            // A number before all of those here belongs to a page that is not.
            guard before != nil || !hasOlder || lines.isEmpty else {
                bytes -= line.bytes
                return
            }
            var at = before.map { $0 + 1 } ?? 0
            // What failed stays where it was; what is on its way goes on to the end.
            while at < lines.count, lines[at].number == nil, !lines[at].isOnItsWay { at += 1 }
            lines.insert(line, at: at)
        } else {
            lines.append(line)
        }
        trim()
    }

    mutating func setState(_ state: SendState, of id: String) {
        guard let at = index(of: id), case .sent(let text, _) = lines[at].kind else { return }
        lines[at].kind = .sent(text, state)
    }

    mutating func remove(_ id: String) {
        guard let at = index(of: id) else { return }
        bytes -= lines[at].bytes
        lines.remove(at: at)
        if case .line(id, _) = view { view = .end }
    }

    private mutating func trim() {
        while lines.count > ScreenLimits.linesPerThreadMax || (bytes > ScreenLimits.bytesPerThreadMax && lines.count > 1) {
            let first = lines.removeFirst()
            bytes -= first.bytes
            hasOlder = true
            if case .line(first.id, _) = view, let next = lines.first { view = .line(next.id, below: 0) }
        }
    }
}
