internal import Vocabulary

/// Rows that did not open, each counted once.
struct StoreDamage {
    private var rows: [String: Set<String>]

    init() { rows = [:] }
    private init(rows: [String: Set<String>]) { self.rows = rows }

    /// Of one table; more are as bad.
    private static let rowsMax = 10_000

    var counts: [String: Int] { rows.mapValues(\.count) }
    var isEmpty: Bool { rows.isEmpty }

    func merged(with other: StoreDamage) -> StoreDamage {
        StoreDamage(rows: rows.merging(other.rows) { $0.union($1) })
    }

    mutating func note(_ table: String, _ row: String) {
        guard (rows[table]?.count ?? 0) < Self.rowsMax else { return }
        rows[table, default: []].insert(row)
    }
}

extension StoreTable {
    /// Whether a node goes on without a row of it: others have it too, or it is made anew. Without any of the others it would contradict
    /// what it has said.
    var isDispensable: Bool {
        switch self {
        case .userRecord, .equivocation, .invitation, .reservation, .ticket, .watermark, .pendingWatermark, .keyPackages, .blocked,
            .submissionOrder, .logReader:
            true
        case .meta, .statement, .conversation, .head, .linkCursor, .group: false
        }
    }
}
