internal import ChatScreen

/// What the screen needs of the client.
protocol ChatBackend: AnyObject, Sendable {
    /// Called once, before any request: where updates are to go, from any thread.
    func begin(_ inbox: ChatInbox)

    /// Returns at once; what comes of it is told to the inbox. Called in the order in which the user asked.
    func perform(_ request: ChatRequest)
}

/// How a chat ended.
enum ChatEnd: Equatable {
    /// The user wanted it, or the client closed the inbox.
    case quit
    /// This signal asked for it; the terminal is restored.
    case signal(Int32)
}
