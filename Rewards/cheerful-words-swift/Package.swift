// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "cheerful-words-swift",
  dependencies: [.package(name: "grpo", path: "../..")],
  targets: [
    .executableTarget(
      name: "cheerful-words-swift",
      dependencies: [.product(name: "RewardKit", package: "grpo")],
      path: "Sources/CheerfulWords")
  ])
