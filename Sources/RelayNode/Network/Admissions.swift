internal import Synchronization
internal import Vocabulary

/// Counts a listener's connections: all of them, those that have not authenticated yet, and of these the ones from each address.
/// A connection over a bound is closed before anything is spent on it.
final class Admissions: Sendable {
    private struct State {
        var total = 0
        var pending = 0
        var pendingByAddress: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let totalMax, pendingMax, pendingPerAddressMax: Int

    init(totalMax: Int, pendingMax: Int, pendingPerAddressMax: Int) {
        (self.totalMax, self.pendingMax, self.pendingPerAddressMax) = (totalMax, pendingMax, pendingPerAddressMax)
    }

    /// - Returns: nil when the connection is one too many.
    func enter(from address: String) -> Admission? {
        let isAdmitted = state.withLock { state in
            let ofAddress = state.pendingByAddress[address] ?? 0
            guard state.total < totalMax, state.pending < pendingMax, ofAddress < pendingPerAddressMax else { return false }
            state.total += 1
            state.pending += 1
            state.pendingByAddress[address] = ofAddress + 1
            return true
        }
        return isAdmitted ? Admission(self, address: address) : nil
    }

    fileprivate func authenticated(_ address: String) {
        state.withLock { leavePending(address, &$0) }
    }

    fileprivate func left(_ address: String, wasPending: Bool) {
        state.withLock { state in
            state.total -= 1
            if wasPending { leavePending(address, &state) }
        }
    }

    private func leavePending(_ address: String, _ state: inout State) {
        state.pending -= 1
        let rest = (state.pendingByAddress[address] ?? 1) - 1
        state.pendingByAddress[address] = rest > 0 ? rest : nil
    }
}

/// One connection's place among the admissions; used on its event loop only. Gives the place back when it goes.
final class Admission {
    private let admissions: Admissions
    let address: String
    private(set) var isPending = true

    fileprivate init(_ admissions: Admissions, address: String) { (self.admissions, self.address) = (admissions, address) }

    deinit { admissions.left(address, wasPending: isPending) }

    func authenticated() {
        guard isPending else { return }
        isPending = false
        admissions.authenticated(address)
    }
}
