// swift-tools-version: 6.2
import PackageDescription

// A package by path is known by its folder's name, whatever the checkout is called.
let checkout = Context.packageDirectory.split(separator: "/").dropLast(2).last ?? ""

let package = Package(
  name: "cheerful-words-swift",
  dependencies: [.package(path: "../..")],
  targets: [
    .executableTarget(
      name: "cheerful-words-swift",
      dependencies: [.product(name: "RewardKit", package: checkout.lowercased())],
      path: "Sources/CheerfulWords")
  ])
