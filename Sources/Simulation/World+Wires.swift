internal import ClientCore
internal import Federation
internal import Vocabulary

extension World {
    func host(_ end: Wire.End) -> Weather.Host {
        switch end {
        case .node(let index, _), .session(let index, _): index
        case .device(let index): nodes.count + index
        }
    }

    public func host(node: Int) -> Weather.Host { node }
    public func host(device: Int) -> Weather.Host { nodes.count + device }

    /// In order on each wire.
    mutating func arrival(on wire: UInt64, at end: Int) -> Instant {
        guard let ends = wires[wire]?.ends else { return now }
        let path = Weather.Path(from: host(ends[1 - end]), to: host(ends[end]))
        let sent = weather.arrival(path, at: now, using: &random)
        let arrival = max(sent, (wires[wire]?.lastArrival[end] ?? .start) + .nanoseconds(1))
        wires[wire]?.lastArrival[end] = arrival
        return arrival
    }

    func isBlocked(_ one: Weather.Host, _ other: Weather.Host) -> Bool {
        weather.isBlocked(Weather.Path(from: one, to: other), at: now) || weather.isBlocked(Weather.Path(from: other, to: one), at: now)
    }

    /// The other end learns of it after what was sent to it before, whoever closes it at once.
    mutating func close(wire id: UInt64, by closer: Wire.End? = nil, except: Wire.End? = nil) {
        guard let wire = wires[id] else { return }
        for (index, end) in wire.ends.enumerated() where end != except {
            tell(end, wire: id, at: end == closer ? now + .microseconds(1) : arrival(on: id, at: index))
        }
        wires[id] = nil
    }

    /// Both ends learn of it at once, and what was on its way is gone.
    public mutating func reset(wire id: UInt64) {
        guard let wire = wires.removeValue(forKey: id) else { return }
        for end in wire.ends {
            switch end {
            case .node(let node, let link): nodes[node].wireOfLink[link] = nil
            case .session(let node, let session): nodes[node].wireOfSession[session] = nil
            case .device(let device): if devices[device].wire == id { devices[device].wire = nil }
            }
            tell(end, wire: id, at: now + .microseconds(1))
        }
    }

    /// All that are open, rising.
    public var openWires: [UInt64] { wires.keys.sorted() }

    private mutating func tell(_ end: Wire.End, wire id: UInt64, at time: Instant) {
        switch end {
        case .node(let node, let link): agenda.add(.node(node, life: nodes[node].life, .linkClosed(link)), at: time)
        case .session(let node, let session): agenda.add(.node(node, life: nodes[node].life, .sessionClosed(session)), at: time)
        case .device(let device): agenda.add(.device(device, life: devices[device].life, wire: id, .connectionLost("closed")), at: time)
        }
    }

    mutating func closeWires(where touches: (Wire.End) -> Bool) {
        for id in wires.filter({ $0.value.ends.contains(where: touches) }).keys.sorted() { close(wire: id) }
    }

    /// Frames on a connection that is gone are gone with it.
    func hears(_ input: NodeInput, _ index: Int) -> Bool {
        switch input {
        case .linkFrame(let link, _): nodes[index].wireOfLink[link] != nil
        case .sessionFrame(let session, _): nodes[index].wireOfSession[session] != nil
        default: true
        }
    }

    func hears(_ input: Device.Input, _ index: Int, on wire: UInt64?) -> Bool {
        guard let wire else { return true }
        return switch input {
        case .connectionLost: devices[index].wire == wire || devices[index].wire == nil
        default: devices[index].wire == wire
        }
    }
}

extension World.Event {
    /// For a trace.
    var summary: String {
        switch self {
        case .node(let index, _, let input): "node\(index) \(String(describing: input).prefix(400))"
        case .device(let index, _, _, let input): "device\(index) \(String(describing: input).prefix(400))"
        case .synced(let index, _): "node\(index) synced"
        case .wakeNode(let index, _): "node\(index) wakes"
        case .wakeDevice(let index, _): "device\(index) wakes"
        case .crashNode(let index, _): "node\(index) crashes"
        case .restartNode(let index): "node\(index) starts"
        case .restartDevice(let index): "device\(index) starts"
        case .fault: "fault"
        }
    }
}
