// swift-tools-version: 6.2
import PackageDescription

/// What every target is compiled with. `InternalImportsByDefault` keeps a dependency's types out of our API.
let settings: [SwiftSetting] = [.enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("ExistentialAny")]

func module(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOWebSocket", package: "swift-nio"),
    .product(name: "NIOTLS", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "Posthouse",
    products: [
        .executable(name: "posthouse", targets: ["posthouse"]),
        .executable(name: "courier", targets: ["courier"]),
        .library(name: "MLS", targets: ["MLS", "Cryptography", "Vocabulary"]),
        // Preloaded into programs that are to suffer (`workbench proof`); nothing links it.
        .library(name: "FaultShim", type: .dynamic, targets: ["FaultShim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

        .target(name: "FaultShim", linkerSettings: [.linkedLibrary("dl")]),

        module("Vocabulary"),
        module("Cryptography", ["Vocabulary", "CSodium", .product(name: "Crypto", package: "swift-crypto")]),
        module("MLS", ["Vocabulary", "Cryptography"]),
        module("Groups", ["Vocabulary", "Cryptography", "MLS"]),
        module("MLSVectors", ["Vocabulary", "Cryptography", "MLS"]),
        module("Wire", ["Vocabulary", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
        module("Federation", ["Vocabulary", "Cryptography", "MLS", "Groups"]),
        module("ChatScreen", ["Vocabulary"]),
        module("ClientCore", ["Vocabulary", "Cryptography", "MLS", "Groups"]),
        module("Storage", ["Vocabulary", "Cryptography", "CSQLite"]),
        module("Histories"),
        module("Simulation", ["Vocabulary", "Cryptography", "MLS", "Groups", "Federation", "ClientCore", "Histories", "Lies"]),
        module(
            "FuzzTargets",
            [
                "Vocabulary", "Cryptography", "MLS", "MLSVectors", "Groups", "Wire", "Federation", "ChatScreen", "ClientCore", "Storage",
                "Simulation", "RelayNode", "Client", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"), .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),
        module("Lies", ["Vocabulary", "Cryptography", "MLS", "Groups"]),
        module(
            "Transport",
            nio + [
                "Vocabulary", "Cryptography", log,
                .product(name: "X509", package: "swift-certificates"), .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        module("RelayNode", nio + ["Vocabulary", "Cryptography", "Wire", "Federation", "Storage", "Transport", log]),
        module("Client", nio + ["Vocabulary", "Cryptography", "MLS", "Groups", "Wire", "ClientCore", "Storage", "Transport", log]),
        module("Launch", ["Vocabulary", arguments]),
        program("posthouse", ["Vocabulary", "Cryptography", "Federation", "Launch", "RelayNode", "Storage", log, arguments]),
        program("courier", ["Vocabulary", "Cryptography", "ChatScreen", "Client", "Launch", log, arguments]),
        program(
            "workbench",
            nio + [
                "Vocabulary", "Cryptography", "MLS", "MLSVectors", "Federation", "ClientCore", "Histories", "Simulation", "Storage", "Wire",
                "Transport", "FuzzTargets", "RelayNode", arguments,
            ]),

        // For tests alone: a node that lies to its devices.
        program("lying-node", ["Vocabulary", "Cryptography", "Wire", "Federation", "Lies", "RelayNode", arguments]),

        tests("MLSTests", ["Vocabulary", "Cryptography", "MLS", "MLSVectors"]),
        tests(
            "SimulationTests",
            ["Vocabulary", "Cryptography", "MLS", "Groups", "Lies", "ClientCore", "Federation", "Simulation", "Histories"]),
        tests("WireTests", ["Vocabulary", "Cryptography", "Wire"]),
        tests("RelayNodeTests", nio + ["Vocabulary", "Cryptography", "Wire", "Federation", "Storage", "Transport", "RelayNode", log]),
        tests("StorageTests", ["Vocabulary", "Cryptography", "Storage"]),
        tests("FederationTests", ["Vocabulary", "Cryptography", "MLS", "Groups", "Federation", "Simulation"]),
        tests("HistoriesTests", ["Histories"]),
        tests(
            "EndToEndTests", ["Vocabulary", "Cryptography", "MLS", "Groups", "ClientCore", "Storage", "Histories"], exclude: ["Hostile"]),
        tests("FuzzTests", ["Cryptography", "FuzzTargets"], exclude: ["Corpus"]),
        tests("ChatScreenTests", ["Vocabulary", "ChatScreen"]),
        tests(
            "ClientTests",
            nio + ["Vocabulary", "Client", .product(name: "NIOEmbedded", package: "swift-nio")]),
        tests("ClientCoreTests", ["Vocabulary", "Cryptography", "MLS", "Groups", "ClientCore"]),
    ],
    swiftLanguageModes: [.v6]
)

// libFuzzer brings its own `main`: built apart, `make fuzz`.
if Context.environment["POSTHOUSE_FUZZ"] != nil { package.targets.append(program("fuzzer", ["FuzzTargets"])) }
