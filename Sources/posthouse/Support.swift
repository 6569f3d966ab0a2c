public import ArgumentParser
import Foundation
import Launch
import RelayNode
public import Vocabulary

/// sysexits.h, as far as we use it.
enum ExitStatus {
    static let usage = ExitCode(64)
    static let data = ExitCode(65)
    static let unavailable = ExitCode(69)
    static let io = ExitCode(74)
    static let permission = ExitCode(77)
    static let configuration = ExitCode(78)
}

struct DataOption: ParsableArguments {
    @Option(name: .customLong("data"), help: ArgumentHelp("The node's data folder, in XDG_DATA_HOME unless named.", valueName: "dir"))
    var path: String = DataFolder.standard

    func validate() throws { if path.isEmpty { throw ValidationError("--data names no folder: it is empty.") } }

    var folder: DataFolder { DataFolder((absolute as NSString).standardizingPath) }
    private var absolute: String { path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path }
}

/// Runs a command's work; an error becomes what, why and remedy on stderr, and the exit code that belongs to it.
func explaining<T>(_ work: () throws -> T) throws -> T {
    do { return try work() } catch let error as ExitCode { throw error } catch let error as any Explained {
        complain(error.explanation)
        throw Failure.code(of: error)
    } catch let error as ValidationError {
        throw error
    } catch {
        complain(Explanation(what: "Something went wrong.", why: "\(error)", remedy: "See the system's log, then try again."))
        throw ExitStatus.io
    }
}

func complain(_ explanation: Explanation) { complain(explanation.description) }
func complain(_ line: String) { StandardStreams.complain(line) }
func say(_ line: String) { StandardStreams.say(line) }

func sayJSON(each values: [some Encodable]) {
    for value in values { sayJSON(value) }
}

func sayJSON(_ value: some Encodable) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { return }
    say(String(decoding: data, as: UTF8.self))
}

var isTerminal: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

/// `90s`, `15m`, `24h`, `7d`.
struct TimeSpan: ExpressibleByArgument {
    let seconds: Int

    init?(argument: String) {
        guard let unit = argument.last, let count = Int(argument.dropLast()), count > 0 else { return nil }
        let factor: Int
        switch unit {
        case "s": factor = 1
        case "m": factor = 60
        case "h": factor = 3600
        case "d": factor = 86400
        default: return nil
        }
        let product = count.multipliedReportingOverflow(by: factor)
        guard !product.overflow, product.partialValue <= 10 * 365 * 86400 else { return nil }
        seconds = product.partialValue
    }

    init(seconds: Int) { self.seconds = seconds }
    var defaultValueDescription: String {
        switch seconds {
        case let s where s % 86400 == 0: "\(s / 86400)d"
        case let s where s % 3600 == 0: "\(s / 3600)h"
        default: "\(seconds)s"
        }
    }
}

extension Endpoint: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension NodeName: ExpressibleByArgument {
    public init?(argument: String) { try? self.init(argument) }
}

extension Address: ExpressibleByArgument {
    public init?(argument: String) { try? self.init(argument) }
}

/// Where a new node listens.
struct ListenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where clients connect, like 127.0.0.1:7443; port 0: the system chooses.", valueName: "host:port"))
    var clients: Endpoint = NodeConfiguration.clientsDefault

    @Option(help: ArgumentHelp("Where other nodes connect, likewise.", valueName: "host:port"))
    var peers: Endpoint = NodeConfiguration.peersDefault

    @Flag(name: .customLong("public"), help: "Allow addresses that other machines can reach; without it only loopback is taken.")
    var isPublic = false

    @Option(help: ArgumentHelp("Where clients are told to connect, if not where the node listens.", valueName: "host:port"))
    var clientsAdvertised: Endpoint?

    @Option(help: ArgumentHelp("Where other nodes are told to connect, likewise.", valueName: "host:port"))
    var peersAdvertised: Endpoint?

    func configuration(named name: NodeName) throws -> NodeConfiguration {
        var configuration = NodeConfiguration(name: name, clients: clients, peers: peers)
        configuration.isPublic = isPublic
        if configuration.collision != nil {
            throw ValidationError("--clients \(clients) and --peers \(peers) are one place to listen: each needs a port of its own.")
        }
        configuration.clientsAdvertised = try advertised(clientsAdvertised, clients, "clients", name)
        configuration.peersAdvertised = try advertised(peersAdvertised, peers, "peers", name)
        return configuration
    }

    /// Nobody can connect to 0.0.0.0: who listens on all addresses is told to others by the node's name, if that can be one of the DNS.
    private func advertised(_ told: Endpoint?, _ listened: Endpoint, _ option: String, _ name: NodeName) throws -> Endpoint? {
        guard told == nil, isPublic, ["0.0.0.0", "::"].contains(listened.host) else { return told }
        guard name.description.contains("."), listened.port != 0 else {
            throw ValidationError(
                "--\(option) \(listened) says where the node listens, not where others reach it: add --\(option)-advertised HOST:PORT.")
        }
        return Endpoint(host: name.description, port: listened.port)
    }
}
