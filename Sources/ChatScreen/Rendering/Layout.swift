/// Where the parts of the screen are. On a small terminal parts are left away rather than squeezed.
///
///     title of the list │ title of the conversation
///     conversations     │ thread
///     notice, or how things stand
///     > what is typed
struct Layout: Hashable {
    let columns: Int
    /// Columns of the list of conversations; 0: it is not shown.
    let side: Int
    /// Where the thread begins, right of the separating line.
    let main: Int
    /// Rows of the lists under the title.
    let body: Range<Int>
    let hasTitle: Bool
    let notice: Range<Int>
    let input: Range<Int>

    /// - Parameters:
    ///   - inputRows: rows that the text being typed would fill.
    ///   - noticeRows: the same for the notice.
    init(columns: Int, rows: Int, inputRows: Int, noticeRows: Int) {
        self.columns = columns
        side = Self.sideColumns(columns)
        main = side == 0 ? 0 : side + 1
        let inputRows = max(1, min(inputRows, ScreenLimits.inputRowsMax, rows / 3))
        input = (rows - min(rows, inputRows))..<rows
        let noticeRows = rows < 3 ? 0 : max(1, min(noticeRows, ScreenLimits.noticeRowsMax, rows / 3))
        notice = max(0, input.lowerBound - noticeRows)..<input.lowerBound
        hasTitle = rows >= 5
        let top = hasTitle ? 1 : 0
        body = min(top, notice.lowerBound)..<notice.lowerBound
    }

    static func sideColumns(_ columns: Int) -> Int {
        columns >= ScreenLimits.columnsForSidePane ? min(32, columns * 3 / 10) : 0
    }
}
