/// What `/help` shows.
enum Help {
    static func lines(_ marks: Marks) -> [String] {
        let width = (CommandName.allCases.map(\.usage.count).max() ?? 0) + 2
        let commands = CommandName.allCases.map { pad($0.usage, width) + $0.meaning }
        let states: [(SendState, String)] = [
            (.queued, "waits on this device"), (.sent, "your node has it"), (.accepted, "it has its place in the conversation"),
            (.delivered, "the recipient has it; in a group, all members"), (.read, "it was read"), (.failed(""), "it will never arrive"),
        ]
        let keys = [
            ("Enter", "sends; Alt-Enter begins a new line"),
            ("Tab, Ctrl-N, Alt-Down", "next conversation; Alt-1 to Alt-9: that one"),
            ("Shift-Tab, Ctrl-P, Alt-Up", "the conversation before"),
            ("PageUp, PageDown", "scrolls; Escape: to the end"),
            ("Up, Down", "what you entered before"),
            ("Ctrl-W, Ctrl-U, Ctrl-K", "deletes word, before, after; Ctrl-Y: undo"),
            ("Tab after /", "completes commands and addresses"),
            ("Ctrl-L, Ctrl-Z", "draws anew, suspends"),
        ]
        return ["Escape closes this.", "", "Ticks of your messages"]
            + states.map { "  " + pad(marks.name($0.0), 5) + $0.1 }
            + ["", "Commands; the first letters are enough, //text sends /text"] + commands.map { "  " + $0 }
            + ["", "Keys"] + keys.map { "  " + pad($0.0, 27) + $0.1 }
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
