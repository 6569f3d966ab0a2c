import Foundation
import Storage
import Testing
import Vocabulary

@Suite struct DataFolderLockTests {
    @Test func `a data folder has one owner, and the second is told which folder and whose it is`() throws {
        let folder = try Folder()
        let lock = try DataFolderLock(folder: folder.path)
        #expect(throws: StoreError.inUse("\(folder.path) is in use by process \(getpid()).")) { try DataFolderLock(folder: folder.path) }
        lock.release()
        _ = try DataFolderLock(folder: folder.path)
    }

    @Test func `who is patient gets a folder whose owner is just ending`() throws {
        let folder = try Folder()
        nonisolated(unsafe) let lock = try DataFolderLock(folder: folder.path)
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(50)) { lock.release() }
        _ = try DataFolderLock(folder: folder.path, patience: .seconds(60))
    }
}
