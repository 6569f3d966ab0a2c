/// The node store's tables. What is not sealed shows neither names nor contents: hashes under the store's key, counts and positions.
///
/// Rows are appended in the order of their integer keys beside small indexes: several times faster than a table in key order, in which
/// every row rewrites a page of its own.
enum Schema {
    /// "phs1".
    static let applicationID: Int32 = 0x7068_7331

    /// Only ever appended to.
    static let migrations = [
        """
        -- The store's own words: the sealed sample that tells the right key, the highest position given.
        CREATE TABLE own(name TEXT PRIMARY KEY, number INTEGER, sample BLOB) STRICT, WITHOUT ROWID;
        CREATE TABLE record(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name BLOB NOT NULL, sealed BLOB NOT NULL) STRICT;
        CREATE UNIQUE INDEX record_by_name ON record(kind, name);
        CREATE TABLE event(
            id INTEGER PRIMARY KEY, conversation BLOB NOT NULL, number INTEGER NOT NULL,
            refs INTEGER NOT NULL, held INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
        CREATE UNIQUE INDEX event_by_number ON event(conversation, number);
        CREATE TABLE entry(
            position INTEGER PRIMARY KEY, queue BLOB NOT NULL, event INTEGER, bytes INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
        -- With the bytes, so that an outline never reads the table.
        CREATE INDEX entry_by_queue ON entry(queue, position, bytes);
        """,
        """
        -- From here on records of users are stored packed, beside those that are not: what reads them all refuses a program that does not.
        SELECT 1;
        """,
    ]
}
