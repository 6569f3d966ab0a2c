/// The signs of the screen, as far as the locale has them. Each says what it means without colour.
struct Marks: Sendable {
    let isUTF8: Bool

    private func mark(_ text: String, _ plain: String, _ style: Style = .plain) -> [Cell] {
        (isUTF8 ? text : plain).unicodeScalars.map {
            Cell(String($0), width: 1, style: style, isUncertain: !ScalarWidth.isCertain($0))
        }
    }

    /// How far a message of ours has come; three columns at most.
    func tick(_ state: SendState) -> [Cell] {
        switch state {
        case .queued: mark("·", ".", .dim)
        case .sent: mark("→", ">")
        case .accepted: mark("✓", "+")
        case .delivered: mark("✓✓", "++")
        case .read: mark("✓✓✓", "+++", Style(.cyan, isBold: true))
        case .failed: mark("!", "!", .alarm)
        }
    }

    /// The same, for the help.
    func name(_ state: SendState) -> String { tick(state).map(\.text).joined() }

    func presence(_ presence: Presence) -> [Cell] {
        if case .online = presence { mark("●", "*", Style(.green)) } else { [.blank] }
    }

    var selected: [Cell] { mark("▸", ">", .bold) }
    var bar: Cell { mark("│", "|", .dim)[0] }
    var rule: Cell { mark("─", "-", .dim)[0] }
    var ellipsis: Cell { mark("…", "~")[0] }
    var lineBreak: Cell { mark("↵", "$", .dim)[0] }
    var membership: [Cell] { mark("──", "--", .dim) }
    var hole: [Cell] { mark("...", "...", .dim) }
    var unreadable: [Cell] { mark("???", "???", .alarm) }
    var alarm: [Cell] { mark("!!!", "!!!", .alarm) }
}
