import ArgumentParser
import Cryptography
import Foundation
import RelayNode
import Vocabulary

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Backs up a node, looks at a backup, restores one.",
        discussion: """
            Examples:
              posthouse backup create --data ./harbor --to harbor-2026-11-26.backup
              posthouse backup verify harbor-2026-11-26.backup --keys ./harbor/keys
              posthouse backup restore harbor-2026-11-26.backup --data ./harbor --replace
            """,
        subcommands: [Create.self, Verify.self, Restore.self])

    struct SecretOption: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "A file with a passphrase that seals the backup, and opens it without the node's keys.", valueName: "file"))
        var passphraseFile: String?

        /// Its first line.
        func passphrase() throws -> Secret? {
            guard let passphraseFile else { return nil }
            guard let data = FileManager.default.contents(atPath: passphraseFile) else {
                throw ValidationError("--passphrase-file \(passphraseFile) cannot be read.")
            }
            var line = Array(data.prefix { $0 != 10 && $0 != 13 })
            guard (8...1024).contains(line.count) else { throw ValidationError("A passphrase has 8 to 1024 bytes, on one line.") }
            return Secret(consuming: &line)
        }
    }

    struct KeysOption: ParsableArguments {
        @Option(
            name: .customLong("keys"),
            help: ArgumentHelp("The folder with the node's keys, if they are not in the backup.", valueName: "dir"))
        var path: String?
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes one file with the node's whole store, as it is at one moment.",
            discussion: """
                Examples:
                  posthouse backup create --data ./harbor --to harbor.backup
                  posthouse backup create --data ./harbor --to harbor.backup --passphrase-file phrase --with-keys

                The node may run, and goes on meanwhile. Without a passphrase the backup opens with keys/storage.key: keep that apart.
                With --with-keys it holds the keys too: the passphrase is then all that keeps others from being this node.
                """)
        @OptionGroup var data: DataOption
        @Option(name: .customLong("to"), help: ArgumentHelp("The file to make; never overwritten.", valueName: "file")) var file: String
        @OptionGroup var secret: SecretOption
        @Flag(help: "Put keys/node.key and keys/storage.key into it; needs --passphrase-file.") var withKeys = false
        @Flag(help: "One JSON object.") var json = false

        func validate() throws {
            if withKeys, secret.passphraseFile == nil {
                throw ValidationError("--with-keys needs --passphrase-file: a key cannot lock itself in.")
            }
        }

        func run() throws {
            try explaining {
                let result = try NodeOperations.backUp(
                    data.folder, to: file, passphrase: try secret.passphrase(), withKeys: withKeys)
                if json { return sayJSON(result) }
                say("Backed up \(result.name) to \(file): \(result.bytes) bytes, store of \(result.storeBytes).")
                if !withKeys { say("Keep \(data.folder.keysFolder) apart from it: the backup is of no use without these keys.") }
            }
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Opens every part of a backup, and the store inside.",
            discussion: """
                Examples:
                  posthouse backup verify harbor.backup --keys ./harbor/keys
                  posthouse backup verify harbor.backup --passphrase-file phrase --json

                Exit code 74 if it is damaged, 65 if it does not open at all: another key, or a damaged beginning. Needs room for the store in the folder for temporary files.
                """)
        @Argument(help: ArgumentHelp("The backup.", valueName: "file")) var file: String
        @OptionGroup var secret: SecretOption
        @OptionGroup var keys: KeysOption
        @Flag(help: "One JSON object.") var json = false

        func run() throws {
            try explaining {
                let result = try NodeOperations.verifyBackup(file, passphrase: try secret.passphrase(), keys: keys.path)
                if json { return sayJSON(result) }
                say("Whole: \(result.name) (\(result.node.prefix(8))) as of \(date(result.created)), \(result.rows ?? 0) rows.")
            }
        }
    }

    struct Restore: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a data folder of a backup.",
            discussion: """
                Examples:
                  posthouse backup restore harbor.backup --data ./harbor --passphrase-file phrase
                  posthouse backup restore harbor.backup --data ./harbor --replace

                Never while the node runs. With --replace a folder of the same node is moved aside, and its keys open the backup.
                The node then knows that it was restored: it asks the others where their conversations stand before it goes on.
                """)
        @Argument(help: ArgumentHelp("The backup.", valueName: "file")) var file: String
        @OptionGroup var data: DataOption
        @OptionGroup var secret: SecretOption
        @OptionGroup var keys: KeysOption
        @Flag(help: "The folder is this node's: move it aside.") var replace = false
        @Flag(help: "One JSON object.") var json = false

        func run() throws {
            try explaining {
                let result = try NodeOperations.restoreBackup(
                    file, to: data.folder, passphrase: try secret.passphrase(), keys: keys.path, replaces: replace)
                if json { return sayJSON(result) }
                say("Restored \(result.name) to \(data.path), as of \(date(result.created)).")
                if let moved = result.moved { say("What was there before is in \(moved): remove it once all is well.") }
                say("Next: posthouse run --data \(data.path)")
            }
        }
    }

    private static func date(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601)
    }
}

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Looks after a node's store.", subcommands: [CheckStore.self])

    struct CheckStore: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Reads everything that is stored and says what is damaged.",
            discussion: """
                Examples:
                  posthouse store check --data ./harbor
                  posthouse store check --data ./harbor --json

                The node may run. Exit code 0 if all is whole, 74 if not.
                """)
        @OptionGroup var data: DataOption
        @Flag(help: "One JSON object.") var json = false

        private struct Answer: Encodable {
            let v = 1
            let whole: Bool
            let rows, damaged: [String: Int]
            let faults: [String]
        }

        func run() throws {
            try explaining {
                let report = try NodeOperations.checkStore(data.folder)
                if json {
                    sayJSON(Answer(whole: report.isWhole, rows: report.rows, damaged: report.damaged, faults: report.faults))
                } else {
                    for (table, count) in report.rows.sorted(by: { $0.key < $1.key }) {
                        let damaged = report.damaged[table] ?? 0
                        say(damaged == 0 ? "ok    \(table): \(count) rows" : "FAIL  \(table): \(damaged) of \(count) rows are damaged")
                    }
                    for fault in report.faults { say("FAIL  \(Printable.line(fault))") }
                    if !report.isWhole {
                        say("      remedy: stop the node and restore it from a backup: posthouse backup restore FILE --replace")
                    }
                }
                if !report.isWhole { throw ExitStatus.io }
            }
        }
    }
}
