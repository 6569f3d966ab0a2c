internal import Vocabulary

/// The tables of a profile's store. Scripts are only ever appended.
enum ProfileSchema {
    /// "cour".
    static let applicationID: Int32 = 0x636f_7572

    /// What the rows of a profile are made of. 1: before conversations were MLS groups; such a profile cannot be carried over, since its
    /// conversations have no group at any hub.
    static let format: Int64 = 2

    static let migrations = [
        """
        CREATE TABLE item(kind INTEGER NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;
        CREATE TABLE message(seq INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, peer BLOB NOT NULL, shown INTEGER NOT NULL,
            body BLOB NOT NULL, status BLOB NOT NULL);
        CREATE INDEX message_peer ON message(peer, seq);
        CREATE INDEX message_unshown ON message(seq) WHERE shown = 0;
        CREATE TABLE alarm(seq INTEGER PRIMARY KEY, body BLOB NOT NULL)
        """,
        // `record`: what a conversation has many of, found by the hash of the conversation.
        """
        CREATE TABLE format(number INTEGER NOT NULL);
        INSERT INTO format SELECT CASE WHEN EXISTS(SELECT 1 FROM item) THEN 1 ELSE \(format) END;
        CREATE TABLE record(kind INTEGER NOT NULL, owner BLOB NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY(kind, owner, key)) WITHOUT ROWID
        """,
        // Parts of Welcomes (`Kind.welcome`) had neither hub nor bound: what was begun and is wanted is asked for again.
        "DELETE FROM item WHERE kind = 9",
    ]
}

extension ClientError {
    static func oldFormat(_ location: ProfileLocation) -> ClientError {
        ClientError(
            .configuration, what: "The profile \(location.folder) is of an older format.",
            why: "It was made by a version before the first release, whose conversations no node knows any more.",
            remedy: "Ask for a new invitation and join anew with another profile: courier join LINK --handle NAME --profile OTHER")
    }
}
