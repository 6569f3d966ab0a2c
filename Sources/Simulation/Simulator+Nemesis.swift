internal import Histories
internal import Vocabulary

// What goes wrong, and when. Each fault of the chosen kinds comes at least once; then again in another order.
extension Simulator {
    mutating func planFaults() {
        let faults = Fault.all(of: options.faults)
        guard !faults.isEmpty else { return }
        // A disk can be full, or about to fail, without a commit that meets it; and an admin away until the end.
        for fault in faults where fault != .fullDisk && fault != .failingDisk && fault != .expulsion {
            world.recorder?.note(.plan(fault: fault.rawValue), of: "run", at: world.now)
        }
        agenda.add(.misbehave, at: soon(interval))
    }

    /// Such that all come within two thirds of the time.
    private var interval: Duration {
        let count = Int64(max(1, Fault.all(of: options.faults).count))
        return min(.seconds(5), .nanoseconds(options.time.nanoseconds / count / 3 * 2 * 2 / 3))
    }

    mutating func misbehave() throws {
        if deck.isEmpty {
            deck = Fault.all(of: options.faults).shuffled(using: &random)
            // Once only, and not at first: a node that is gone sees nothing of the rest.
            if let index = deck.firstIndex(of: .expulsion) {
                deck.remove(at: index)
                if expelled.isEmpty { deck.insert(.expulsion, at: 0) }
            }
        }
        agenda.add(.misbehave, at: soon(interval))
        guard let fault = deck.popLast() else { return }
        try commit(fault)
    }

    mutating func happens(_ fault: Fault, to target: String, in conversation: ConversationID? = nil) {
        happened[fault.rawValue, default: 0] += 1
        world.recorder?.note(.fault(fault.rawValue, conversation: conversation?.hex), of: target, at: world.now)
    }

    private mutating func seconds(_ range: ClosedRange<Double>) -> Duration {
        .nanoseconds(Int64(Double.random(in: range, using: &random) * 1e9))
    }

    private mutating func anyNode() -> Int { Int.random(in: 0..<options.nodes, using: &random) }
    private mutating func anyUser() -> Int { users[Int.random(in: 0..<users.count, using: &random)] }
    private mutating func anyHost() -> Weather.Host { Int.random(in: 0..<(options.nodes + users.count), using: &random) }

    private mutating func commit(_ fault: Fault) throws {
        switch fault {
        case .delay, .clog, .oneWayPartition, .partition, .reset: disturb(fault)
        case .slowDisk, .failingDisk, .fullDisk, .tornCommit: try damage(fault)
        case .clockJump:
            let jump = seconds(-3_000...3_000)
            if Bool.random(using: &random) {
                let node = anyNode()
                world.setClock(ahead: jump, node: node)
                happens(fault, to: "node\(node)")
            } else {
                let user = anyUser()
                world.setClock(ahead: jump, device: user)
                happens(fault, to: name(user))
            }
        case .nodeCrash, .nodeAway:
            let node = anyNode()
            happens(fault, to: "node\(node)")
            world.kill(node: node, for: seconds(fault == .nodeCrash ? 0...2 : 10...40))
        case .deviceCrash:
            let user = anyUser()
            happens(fault, to: name(user))
            world.kill(device: user, for: seconds(0...20))
        case .oldNode: replaceNode()
        case .expulsion: try expel()
        case .lyingHub: lie()
        case .forgedRecord: forgeRecord()
        case .oldDevice: replaceDevice()
        }
    }

    func name(_ user: Int) -> String { world.recorder?.name(of: user) ?? "user\(user)" }

    private mutating func disturb(_ fault: Fault) {
        let until = world.now + seconds(1...20)
        switch fault {
        case .delay:
            let (one, other) = (anyHost(), anyNode())
            let extra = seconds(0.05...2)
            for path in [Weather.Path(from: one, to: other), Weather.Path(from: other, to: one)] {
                world.weather.delay(path, by: extra, until: until)
            }
            happens(fault, to: "\(one)-\(other)")
        case .clog:
            let (one, other) = (anyNode(), anyHost())
            world.weather.block(Weather.Path(from: one, to: other), until: until)
            happens(fault, to: "\(one)-\(other)")
        case .oneWayPartition, .partition:
            // Some nodes, and the devices with them, cannot reach the others.
            let side = Set((0..<options.nodes).shuffled(using: &random).prefix(max(1, options.nodes / 2)))
            for one in side {
                for other in (0..<options.nodes) where !side.contains(other) {
                    world.weather.block(Weather.Path(from: one, to: other), until: until)
                    if fault == .partition { world.weather.block(Weather.Path(from: other, to: one), until: until) }
                }
            }
            happens(fault, to: side.sorted().map(String.init).joined(separator: ","))
        default:
            let wires = world.openWires
            for _ in 0..<max(1, wires.count / 4) { if let wire = wires.randomElement(using: &random) { world.reset(wire: wire) } }
            happens(fault, to: "network")
        }
    }

    private mutating func damage(_ fault: Fault) throws {
        let node = anyNode()
        switch fault {
        case .slowDisk:
            world.setSlow(seconds(0.05...0.5), node: node)
            agenda.add(.later { $0.world.setSlow(.zero, node: node) }, at: world.now + seconds(5...20))
            happens(fault, to: "node\(node)")
        // These two are noted when a commit meets them.
        case .failingDisk:
            happened[fault.rawValue, default: 0] += 1
            world.failNextSync(node: node)
        case .fullDisk:
            happened[fault.rawValue, default: 0] += 1
            try world.setFull(true, node: node)
            agenda.add(.later { try $0.world.setFull(false, node: node) }, at: world.now + seconds(15...30))
        default:
            happens(fault, to: "node\(node)")
            world.crashInNextCommit(node: node)
        }
    }
}
