/// What was pressed, whatever bytes the terminal sends for it.
public enum Key: Hashable, Sendable {
    case text(String)
    /// Text between the terminal's paste marks: line breaks in it are not Enter.
    case paste(String)
    /// A letter with Control, lower case.
    case control(Character)
    case enter, tab, backspace, delete, escape
    case up, down, left, right, home, end, pageUp, pageDown
    /// A key that means nothing here.
    case other
}

public struct KeyEvent: Hashable, Sendable {
    public var key: Key
    public var hasShift, hasAlt, hasControl: Bool

    public init(_ key: Key, hasShift: Bool = false, hasAlt: Bool = false, hasControl: Bool = false) {
        (self.key, self.hasShift, self.hasAlt, self.hasControl) = (key, hasShift, hasAlt, hasControl)
    }
}
