internal import Vocabulary

/// Bytes of all logs of a hub: by who sent them, and by the home of who did where that is another node, which makes users up as it likes.
/// Not on disk: what was there when the node started is on nobody's account.
struct LogAccounts: Sendable {
    private struct Account {
        var bytes = 0
        /// Where all of it is counted as well.
        var home: NodeID?
    }

    private var users: [UserID: Account] = [:]
    private var homes: [NodeID: Int] = [:]

    func bytes(of user: UserID) -> Int { users[user]?.bytes ?? 0 }
    func bytes(of home: NodeID) -> Int { homes[home] ?? 0 }

    func largestWriters(_ count: Int) -> [UserID] { users.largest(count) { $0.value.bytes }.map(\.key) }

    /// - Parameter home: nil for this node. What a user who has moved has is counted there from then on.
    mutating func charge(_ bytes: Int, to user: UserID, of home: NodeID?) {
        guard bytes > 0 else { return }
        var account = users[user] ?? Account(home: home)
        if account.home != home {
            add(-account.bytes, to: account.home)
            add(account.bytes, to: home)
            account.home = home
        }
        account.bytes += bytes
        add(bytes, to: home)
        users[user] = account
    }

    mutating func release(_ bytes: Int, of user: UserID) {
        guard var account = users[user] else { return }
        let gone = min(bytes, account.bytes)
        account.bytes -= gone
        add(-gone, to: account.home)
        users[user] = account.bytes > 0 ? account : nil
    }

    private mutating func add(_ bytes: Int, to home: NodeID?) {
        guard let home else { return }
        let left = (homes[home] ?? 0) + bytes
        homes[home] = left > 0 ? left : nil
    }
}
