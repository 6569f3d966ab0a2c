/// What changed in a group since its state was last stored.
struct StateChanges: Equatable, Sendable {
    var everything = false
    /// Epochs whose secret trees stepped.
    var secretTrees: Set<UInt64> = []
    var proposals = false
    var past = false
    var epoch = false

    mutating func noteEpoch(from old: RatchetTree, of epoch: UInt64, to new: RatchetTree) { self.epoch = true }
}
