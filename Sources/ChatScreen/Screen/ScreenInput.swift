/// What the screen hears of.
public enum ScreenInput: Hashable, Sendable {
    case key(KeyEvent)
    case resized(columns: Int, rows: Int)
    /// No key for some seconds.
    case idled
    /// All that waited, in its order.
    case told([ChatUpdate])
}

/// What the client has to tell. Texts are as others wrote them; the screen escapes them.
public enum ChatUpdate: Hashable, Sendable {
    /// Our own address.
    case me(String)
    /// Nil: there is a session with the home; else why there is none.
    case offline(String?)
    /// All conversations, in the order in which they are to be shown.
    case conversations([ConversationRow])
    /// One that is new (it goes to the top) or changed (it keeps its place); as it is now, presence and typing included.
    case conversation(ConversationRow)
    case conversationRemoved(String)
    /// Shows that conversation, once it is among them: the answer to `/open` and `/group`.
    case select(String)
    /// The newest page of a thread, the oldest line first; it takes the place of what was shown.
    /// `readThrough`: what others wrote after that number is new.
    case thread(conversation: String, [ThreadLine], hasOlder: Bool, readThrough: UInt64?)
    /// The answer to `loadOlder`: what comes before the first line.
    case older(conversation: String, [ThreadLine], hasOlder: Bool)
    /// A line that is new or changed.
    case line(conversation: String, ThreadLine)
    case lineRemoved(conversation: String, line: String)
    /// A message of ours got further.
    case state(conversation: String, line: String, SendState)
    case typing(conversation: String, [String])
    case presence(conversation: String, Presence)
    /// What happened, in one sentence.
    case notice(String)
    /// What went wrong: what, why, remedy.
    case problem(String)
    /// The answer to a command: shown over the thread until Escape.
    case panel(title: String, [String])
}

/// What the client is asked for. Conversations and lines are named by the ids that it gave.
public enum ChatRequest: Hashable, Sendable {
    /// Nothing is known: tell me, conversations and whether there is a session. The first request, and after updates were lost.
    case start
    /// Answer with `thread`.
    case open(String)
    /// Answer with `older`, also when there is nothing.
    case loadOlder(String, before: ThreadLine.ID)
    /// Answer with `line` (state `queued`) at once.
    case send(String, to: String)
    case typing(String, Bool)
    /// All lines up to this number are shown.
    case markRead(String, through: UInt64)
    /// Answer with `notice`, `problem` or `panel`.
    case command(ChatCommand, in: String?)
}

/// What is to be done after an input, in this order.
public enum ScreenAction: Hashable, Sendable {
    case ask(ChatRequest)
    /// The frame changed.
    case draw
    /// The terminal may show something else than was written: write everything.
    case redraw
    /// Give the terminal back and stop, until the shell says go on.
    case suspend
    case quit
}
