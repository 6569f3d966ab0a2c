/// What was entered before, for the arrow keys.
struct InputHistory: Hashable, Sendable {
    private var entries: [String] = []
    /// Which one is shown; nil: none, what is typed is new.
    private var at: Int?
    /// What was being typed when the first one was fetched.
    private var unfinished = ""

    mutating func add(_ text: String) {
        at = nil
        guard entries.last != text else { return }
        entries.append(text)
        if entries.count > ScreenLimits.inputsRememberedMax { entries.removeFirst() }
    }

    mutating func older(than text: String) -> String? {
        let index = (at ?? entries.count) - 1
        guard entries.indices.contains(index) else { return nil }
        if at == nil { unfinished = text }
        at = index
        return entries[index]
    }

    mutating func newer() -> String? {
        guard let index = at else { return nil }
        at = index + 1 < entries.count ? index + 1 : nil
        return at.map { entries[$0] } ?? unfinished
    }

    /// Something was typed: what is shown is no longer the old entry.
    mutating func leave() { at = nil }
}
