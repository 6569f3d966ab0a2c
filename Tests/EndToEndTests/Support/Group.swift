import Foundation

/// A group in the eyes of its members' commands.
struct Group: Sendable {
    let id: String

    /// Made by its first owner. All the others must be known at the owner's node by now.
    init(_ name: String, by owner: User, with members: [User]) throws {
        for member in members {
            try eventually("\(member.address) is known") { try owner.command(["contact", "show", member.address]).code == 0 }
        }
        id = try owner.group(name, members)
    }

    @discardableResult
    func send(_ text: String, by user: User, wait: String = "accepted", timeout: String = "60s") throws -> World.Outcome {
        try user.command(["send", id, text, "--wait", wait, "--timeout", timeout, "--json"])
    }

    /// Sends, and sees that the state is reached.
    func deliver(_ text: String, by user: User, wait: String = "accepted") throws {
        let outcome = try send(text, by: user, wait: wait)
        guard outcome.code == 0 else { throw Program.Failure(description: "\(outcome)") }
    }

    /// A change that must be made.
    func change(_ verb: String, by user: User, _ arguments: [String]) throws {
        let outcome = try user.command(["group", verb, id] + arguments)
        guard outcome.code == 0 else { throw Program.Failure(description: "\(outcome)") }
    }

    func members(seenBy user: User) throws -> [String: String] { try user.info(id).members }

    /// What the user's profile holds of it, in order: texts and changes.
    func history(of user: User) throws -> [JSONLine] { try user.history(with: id) }
}

/// Does the same for all, several at a time: most of a command's time is waiting.
func together<Item: Sendable, Result: Sendable>(_ items: [Item], _ body: @escaping @Sendable (Item) throws -> Result) throws -> [Result] {
    let results = Collected<Result>(items.count)
    let everybody = DispatchGroup()
    for (index, item) in items.enumerated() {
        everybody.enter()
        let thread = Thread {
            results.set(index, Swift.Result { try body(item) })
            everybody.leave()
        }
        thread.stackSize = 512 << 10
        thread.start()
    }
    everybody.wait()
    return try results.all()
}

/// Unchecked: all that changes is behind the lock.
private final class Collected<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [Result<Value, any Error>?]

    init(_ count: Int) { values = Array(repeating: nil, count: count) }

    func set(_ index: Int, _ value: Result<Value, any Error>) { lock.withLock { values[index] = value } }

    func all() throws -> [Value] { try lock.withLock { try values.compactMap { try $0?.get() } } }
}
