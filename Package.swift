// swift-tools-version: 6.2
import PackageDescription

let swift: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// What tests compile with: they wait for the code they test, which is optimised, and for the compiler.
let tests = swift + [.unsafeFlags(["-Onone"])]

let package = Package(
  name: "grpo",
  products: [
    .executable(name: "grpo", targets: ["grpo"]),
    // What the author of a Swift reward plugin imports.
    .library(name: "RewardKit", targets: ["RewardKit"]),
  ],
  targets: [
    // The program: parse, call, exit.
    .executableTarget(name: "grpo", dependencies: ["Commands", "RewardKit"], swiftSettings: swift),
    .target(
      name: "Commands",
      dependencies: [
        "Training", "Audits", "PolicyOptimization", "Transformer", "Tensors", "Tokenizers",
        "RewardKit", "BuiltInRewards", "TrajectoryStore", "Processes", "Rollouts",
      ], swiftSettings: swift),
    .target(
      name: "Training",
      dependencies: [
        "Audits", "PolicyOptimization", "Transformer", "Tensors", "Tokenizers",
        "RewardKit", "BuiltInRewards", "TrajectoryStore", "Processes", "Rollouts",
      ], swiftSettings: swift),

    // Libraries, each ignorant of what the others are about.
    // Of Tensors, audits take the random numbers.
    .target(name: "Audits", dependencies: ["Rollouts", "Tensors"], swiftSettings: swift),
    .target(name: "PolicyOptimization", dependencies: ["Rollouts"], swiftSettings: swift),
    .target(
      name: "Transformer", dependencies: ["Tensors", "Rollouts"], swiftSettings: swift,
      plugins: ["FamilyList"]),
    // Lists the files of Transformer/Families: a family is added by adding its file.
    .plugin(name: "FamilyList", capability: .buildTool()),
    .target(
      name: "Tensors", dependencies: ["Rollouts", "CKernels", "COpenBLAS"], swiftSettings: swift),
    .target(name: "Tokenizers", dependencies: ["Rollouts"], swiftSettings: swift),
    .target(
      name: "RewardKit", dependencies: ["Rollouts", "CProcesses"],
      resources: [
        .embedInCode("Python/functions.py"), .embedInCode("Python/replies.py"),
        .embedInCode("Python/conventions.py"), .embedInCode("Python/adapter.py"),
        .embedInCode("Python/environments/schemas.py"),
        .embedInCode("Python/environments/episodes.py"),
        .embedInCode("Python/environments/trl.py"), .embedInCode("Python/environments/verl.py"),
        .embedInCode("Python/environments/openrlhf.py"),
        .embedInCode("Python/environments/skyrl.py"),
        .embedInCode("Python/environments/environments.py"),
      ], swiftSettings: swift),
    .target(
      name: "BuiltInRewards", dependencies: ["RewardKit", "Rollouts"], path: "Rewards/BuiltIn",
      resources: [
        .embedInCode("CodeTests/interpreter_modules.py"),
        .embedInCode("CodeTests/tagged_values.py"), .embedInCode("CodeTests/confinement.py"),
        .embedInCode("CodeTests/code_tests.py"), .embedInCode("MathVerify/math_verify.py"),
      ], swiftSettings: swift),
    // Scores over HTTP in a process of its own: grpo links no networking.
    .executableTarget(
      name: "grpo-http-reward", dependencies: ["RewardKit"], path: "Rewards/HTTP",
      swiftSettings: swift),
    .target(name: "TrajectoryStore", dependencies: ["Rollouts", "CSQLite"], swiftSettings: swift),
    // Several processes as ranks of one run, over an MPI library that is found at run time.
    .target(name: "Processes", dependencies: ["Tensors", "CMessagePassing"], swiftSettings: swift),
    .target(
      name: "Rollouts", resources: [.embedInCode("Datasets/convert_rows.py")],
      swiftSettings: swift),

    // C: numerical kernels and process control; system libraries.
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m")]),
    .target(name: "CProcesses"),
    .target(name: "CMessagePassing", linkerSettings: [.linkedLibrary("dl")]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

    // Tests mirror the sources; EndToEndTests runs the built command.
    .target(
      name: "TestSupport", dependencies: ["Processes", "Rollouts"], path: "Tests/TestSupport",
      swiftSettings: swift),
    .testTarget(
      name: "RolloutsTests", dependencies: ["Rollouts", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "ProcessesTests", dependencies: ["Processes", "Tensors", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "PolicyOptimizationTests", dependencies: ["PolicyOptimization", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "AuditsTests", dependencies: ["Audits", "Rollouts", "TestSupport"],
      exclude: ["Goldens"],
      swiftSettings: tests),
    .testTarget(
      name: "TensorsTests", dependencies: ["Tensors", "Rollouts", "CKernels", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "TransformerTests",
      dependencies: ["Transformer", "Tensors", "Rollouts", "TestSupport"],
      exclude: ["Goldens"], swiftSettings: tests),
    .testTarget(
      name: "TokenizersTests", dependencies: ["Tokenizers", "TestSupport"], exclude: ["Goldens"],
      swiftSettings: tests),
    .testTarget(
      name: "RewardKitTests",
      dependencies: ["RewardKit", "BuiltInRewards", "TestSupport", "grpo-http-reward"],
      swiftSettings: tests),
    .testTarget(
      name: "TrajectoryStoreTests", dependencies: ["TrajectoryStore", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Audits", "PolicyOptimization", "Transformer", "Tensors", "Tokenizers",
        "RewardKit", "BuiltInRewards", "TrajectoryStore", "Rollouts", "TestSupport",
      ], swiftSettings: tests),
    .testTarget(
      name: "CommandsTests",
      dependencies: ["Commands", "Training", "TrajectoryStore", "Rollouts", "TestSupport"],
      exclude: ["Snapshots"],
      swiftSettings: tests),
    .testTarget(
      name: "EndToEndTests", dependencies: ["grpo", "Rollouts", "TestSupport"],
      swiftSettings: tests),
  ]
)
