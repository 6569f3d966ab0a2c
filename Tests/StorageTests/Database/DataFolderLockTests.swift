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
}
