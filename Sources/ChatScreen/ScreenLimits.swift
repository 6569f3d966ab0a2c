internal import Vocabulary

/// Bounds of what the screen holds, so that neither a talkative group nor a pasted book makes it grow.
public enum ScreenLimits {
    /// Columns and rows that are drawn; of a larger terminal the rest stays blank.
    public static let columnsMax = 500
    public static let rowsMax = 200
    /// Lines of one thread in memory, and bytes of their text; the oldest go first and can be loaded again.
    public static let linesPerThreadMax = 2_000
    public static let bytesPerThreadMax = 4 * 1024 * 1024
    /// Threads in memory; of others a page is asked for when they are opened.
    public static let threadsMax = 8
    public static let conversationsMax = 10_000
    /// Rows that one message takes; what is longer ends with a hint.
    public static let rowsPerMessageMax = 200
    /// Bytes of one line of text as typed: what a message may have.
    public static let inputBytesMax = Limits.textBytesMax
    public static let inputRowsMax = 5
    public static let inputsRememberedMax = 100
    /// Unfinished texts of other conversations.
    public static let draftsMax = 64
    /// Bytes of one paste that are looked at.
    public static let pasteBytesMax = 64 * 1024
    /// Bytes of one escape sequence of the keyboard; longer ones are none.
    public static let sequenceBytesMax = 64
    public static let noticeRowsMax = 3
    public static let panelLinesMax = 5_000
    /// Columns from which on the list of conversations is shown beside the thread.
    public static let columnsForSidePane = 60
    /// Columns of a thread from which on texts have a column of their own.
    public static let columnsForAlignedText = 50
    public static let labelColumnsMax = 20
}
