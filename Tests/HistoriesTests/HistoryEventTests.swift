import Histories
import Testing

@Suite struct HistoryEventTests {
    private static let place = HistoryEvent.Place("c0ffee", 7)
    private static let events: [HistoryEvent.What] = [
        .invoke(message: "m", to: .user("bob@tower")), .invoke(message: "m", to: .group("g")),
        .ok(message: "m", .sent), .ok(message: "m", .accepted, place), .ok(message: "m", .read, place, chain: "aa"),
        .fail(message: "m", reason: "it \"expired\""), .info(message: "m", reason: "a\nb\\c\u{1}é"),
        .show(message: "m", author: "alice@harbor", place), .show(message: "m", author: "alice@harbor", place, chain: "bb"),
        .tombstone(place, reason: "lost"), .change(place, .added, who: ["carol", "dave"]), .change(place, .joined, who: []),
        .found(conversation: "g"), .head(place, chain: "cc"), .receipt(place, by: "bob", .delivered),
        .alarm("gap", conversation: "c", number: nil), .alarm("gap", conversation: "c", number: 3),
        .offline, .online, .restored, .setBack(place, through: 9), .gone(conversation: nil), .gone(conversation: "c"),
        .plan(fault: "crash"), .fault("crash"),
        .fault("fork", conversation: "c"), .healed,
        .gauge("queue", value: 3, bound: 1 << 53),
    ]

    @Test(arguments: events) func `an event survives its line`(what: HistoryEvent.What) throws {
        let event = HistoryEvent(123_456_789, "alice@harbor", what)
        #expect(try HistoryEvent(line: event.line) == event)
        #expect(!event.line.contains("\n"))
    }

    @Test func `the line is as it is written down`() {
        let event = HistoryEvent(5, "bob@tower", .show(message: "m", author: "alice@harbor", Self.place, chain: "aa"))
        #expect(
            event.line
                == #"{"v":1,"time":5,"client":"bob@tower","type":"show","message":"m","author":"alice@harbor","conversation":"c0ffee","number":7,"chain":"aa"}"#
        )
    }

    @Test(arguments: [
        "", "{}", "[]", #"{"v":2,"time":1,"client":"a","type":"online"}"#, #"{"v":1,"time":1,"client":"a","type":"dance"}"#,
        #"{"v":1,"time":1,"client":"a","type":"show","message":"m","author":"b","conversation":"c"}"#,
        #"{"v":1,"time":1,"client":"a","type":"ok","message":"m","state":"eaten"}"#,
        #"{"v":1,"time":1,"client":"a","type":"head","conversation":"c","number":-1,"chain":"x"}"#,
    ]) func `what is no event is refused`(line: String) {
        #expect(throws: HistoryLineError.self) { try HistoryEvent(line: line) }
    }
}
