internal import Vocabulary

// Devices that are of no user of ours any more: their user has taken them out, or has gone to another home.
extension Node {
    /// What this node keeps for them nobody would ever take. Who wrote to them hears nothing of it here: a message stays in its hub's log until
    /// all of its roster's devices have it, or it has failed.
    mutating func left(_ devices: [DeviceID], of user: UserID) {
        for device in devices {
            write([keyPackages.forget(device), orders.forget(device)])
            write(queues.withdrawAll(of: .device(device)))
            logReaders.endTurn(of: device)
            for conversation in logReaders.conversations(of: device) { write(logReaders.remove(device, from: conversation)) }
            // What is being read for it ends so.
            if traffic.refetches[device] != nil { traffic.refetches[device] = [] }
            // Of a record that came on a session that session hears first.
            if directory.home(of: user) != id, let session = sessions.session(of: device) {
                refuse(session, Refusal(.notHome, "The user's home is another node."))
            }
        }
    }
}
