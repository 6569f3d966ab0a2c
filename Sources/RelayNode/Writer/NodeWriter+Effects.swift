internal import Federation
internal import Logging
internal import Storage
internal import Vocabulary

// What the core orders, and when it is said.
extension NodeWriter {
    /// Sorts what was ordered: to disk, to be said once that is there, or now.
    ///
    /// Now goes to a device's session what is on somebody else's disk already: an event or acceptance of another node's conversation (its
    /// hub keeps the event until the device's watermark covers it, and our own acknowledgement to the hub waits for our disk), a watermark
    /// (its device has signed it). Never past something that the same session waits for: a device acknowledges through a position.
    func take(_ effects: [NodeEffect], _ early: inout NetworkBatch) {
        for effect in effects {
            switch effect {
            case .write(let write):
                if pending.writes.isEmpty, pending.due == nil { pending.due = Clock.now + Self.commitDelay }
                pending.writes.append(write)
            case .sendSession(let session, let frame):
                guard let lie else {
                    say(frame, effect, session, &early)
                    continue
                }
                for told in lie(node, session, frame) { say(told, .sendSession(session, told), session, &early) }
            case .closeSession(let session, _): wait(effect, session)
            case .sendLink(let link, .acknowledge):
                // The newest alone, and nobody is in a hurry for it.
                if let index = pending.acknowledgements[link] {
                    pending.effects[index] = effect
                } else {
                    pending.acknowledgements[link] = pending.effects.count
                    pending.effects.append(effect)
                }
            case .note(let note): write(note)
            case .sendLink, .closeLink, .dial, .page, .load, .answer, .expelled:
                pending.effects.append(effect)
                pending.isUrgent = true
            }
        }
    }

    /// - Parameter effect: `frame`'s, ready made.
    private func say(_ frame: NodeFrame, _ effect: NodeEffect, _ session: SessionID, _ early: inout NetworkBatch) {
        if isSafe(frame), !waits(session) { early.send(frame, to: session) } else { wait(effect, session) }
    }

    private func wait(_ effect: NodeEffect, _ session: SessionID) {
        pending.effects.append(effect)
        pending.sessions.insert(session)
        pending.isUrgent = true
    }

    private func waits(_ session: SessionID) -> Bool { pending.sessions.contains(session) || inFlight?.sessions.contains(session) == true }

    private func isSafe(_ frame: NodeFrame) -> Bool {
        switch frame {
        case .entry(_, .event(let envelope)): envelope.key.hub != node.id
        case .entry(_, .accepted(let acceptance)): acceptance.key.hub != node.id
        case .entry(_, .watermark), .pong: true
        default: false
        }
    }

    func release(_ done: Pending) throws(StoreError) {
        var orders = NetworkBatch()
        var ordered = 0
        for effect in done.effects {
            switch effect {
            case .write: break
            case .sendSession(let session, let frame): orders.send(frame, to: session)
            case .closeSession(let session, let refusal): orders.close(session, after: refusal)
            case .sendLink(let link, let frame): orders.send(frame, to: link)
            case .closeLink(let link, let refusal): orders.close(link, after: refusal)
            case .dial(let peer, let endpoints): network?.dial(peer, at: endpoints)
            case .page(let order):
                ordered += 1
                add(.page(order))
            case .load(let needed):
                ordered += 1
                add(.rows(needed))
            case .answer(let request, .success(.backup(let step))):
                admins.answer(request, with: AdminRoutes.response(toBackup: try backup(step)))
            case .answer(let request, let answer): admins.answer(request, answer, AdminRoutes.Context(self, network))
            case .expelled(let nodes): expelled.withLock { $0 = Set(nodes) }
            case .note(let note): write(note)
            }
        }
        // Others that wait to be read have a turn coming.
        if readings.count == ordered { try read() }
        credit(done.dealtWith, &orders)
        if !orders.isEmpty { network?.perform(orders) }
    }

    private func add(_ reading: Reading) {
        readings.add(reading) { device in withUnsafePointer(to: &node) { $0.pointee.user(ofLocal: device) } }
    }

    /// What is read comes back as an input: the next turn goes on with it.
    func read() throws(StoreError) {
        let start = Clock.now
        var now = start
        while now - start < PageTurns.turnMax, let (kind, due) = pageTurns.next(of: readings.waits, at: start), due <= start,
            let reading = readings.next(kind)
        {
            let began = now
            switch reading {
            case .page(let order):
                let most = pageTurns.pageMax(of: order.destination, at: began)
                let entries = try store.page(
                    order.destination, after: order.after, limit: min(order.entriesMax, most.entries),
                    bytesMax: min(order.bytesMax, most.bytes))
                inbox.post(.paged(order, entries))
            case .rows(let needed):
                if let rows = try store.rows(needed, hub: node.id) { inbox.post(.loaded(rows)) }
            }
            now = Clock.now
            pageTurns.read(kind, in: now - began, forDevice: reading.isForDevice)
        }
        pageTurns.turnEnded(at: now)
    }

    /// Holds the store's file still for whoever copies it, as long as it says that it is still at it: whoever is killed does not come back
    /// to say that it is done.
    private func backup(_ step: BackupStep) throws(StoreError) -> Result<Int, StoreError> {
        switch step {
        case .begin:
            guard backupEnds == nil else {
                return .failure(.inUse("Another backup of it is under way, or ended without a word less than \(Self.backupMax) ago."))
            }
            do throws(StoreError) {
                let bytes = try store.beginBackup()
                log.notice("a backup is being made")
                backupEnds = Clock.now + Self.backupMax
                return .success(bytes)
            } catch {
                guard error == .full else { throw error }
                return .failure(error)
            }
        case .keep:
            guard backupEnds != nil else { return .failure(Self.backupOver) }
            backupEnds = Clock.now + Self.backupMax
            return .success(0)
        case .end:
            backupEnds = nil
            return try store.endBackup() ? .success(0) : .failure(Self.backupOver)
        }
    }

    private static let backupOver = StoreError.inUse(
        "Nobody said for \(backupMax) that the backup goes on, or the disk became full meanwhile: what was copied is of no use.")

    func noteAddresses(_ batch: ArraySlice<Inbox.Item>) {
        for item in batch {
            if case .listening(let clients, let peers) = item.input {
                addresses = NetworkAddresses(clients: clients, peers: peers, adminLoopback: nil)
            }
        }
    }

    func credit(_ sources: [Inbox.Item.Source], _ orders: inout NetworkBatch) {
        for source in sources {
            switch source {
            case .session(let session, let bytes): orders.processed(session, bytes: bytes)
            case .link(let link, let bytes): orders.processed(link, bytes: bytes)
            case .local: break
            }
        }
    }

    private func write(_ note: NodeNote) {
        switch note {
        case .linkUp(let node): inform("link up", ["node": "\(node)"], of: node)
        case .linkDown(let node): inform("link down", ["node": "\(node)"], of: node)
        case .linkRefused(let node, let refusal):
            inform("link refused", ["node": "\(node)", "code": "\(refusal.code)", "why": "\(Printable.line(refusal.detail))"], of: node)
        case .memberStateChanged(let node, let state): inform("a node is \(state)", ["node": "\(node)"], of: node)
        case .membershipChanged: log.info("the federation's members changed")
        case .expelled(let node): log.notice("a node was expelled", metadata: ["node": "\(node)"])
        case .registered: log.info("a user record was published")
        case .sessionRefused(let code): log.debug("session refused", metadata: ["code": "\(code)"])
        case .messageRefused(let code): log.debug("message refused", metadata: ["code": "\(code)"])
        case .badRecords(let count, let kind, let node):
            inform("bad user records", ["count": "\(count)", "kind": "\(kind)", "from": "\(node?.short ?? "-")"], of: node)
        case .badStatements(let count, let node):
            inform("bad statements", ["count": "\(count)", "from": "\(node?.short ?? "-")"], of: node)
        case .corruptRow(let table): log.error("a stored row cannot be read", metadata: ["table": "\(table)"])
        case .spaceLow(let isLow):
            if isLow { log.error("the disk is nearly full: new messages are refused") } else { log.notice("the disk has room again") }
        }
    }

    /// What another node causes, as often as it likes.
    private func inform(_ what: String, _ metadata: Logger.Metadata, of node: NodeID?) {
        guard log.logLevel <= .info, let leftOut = throttle.take(what, of: node, at: Clock.now) else { return }
        log.info("\(what)", metadata: leftOut > 0 ? metadata.merging(["left_out": "\(leftOut)"]) { $1 } : metadata)
    }
}
