import Foundation

/// Builds a reward plugin that is a Swift package.
///
/// The build is kept in the package's own `.build`, with the hash of the sources that it was made
/// of: equal sources are not built again.
struct SwiftPackageBuilder {
  let folder: String
  let use: String

  private var stamp: String { folder + "/.build/grpo-reward.json" }

  /// The path of the package's executable, built where it is not up to date.
  /// - Throws: the compiler's own words where the build fails.
  func executable() throws(RewardError) -> String {
    let hash = ContentHash.of(folder: folder)
    if let kept = keptExecutable(hash) { return kept }
    let build = run(["build", "-c", "release", "--package-path", folder])
    guard build.status == 0 else {
      throw RewardError(
        .configuration, "reward \"\(use)\": the package doesn't build:\n\(build.text)")
    }
    let place = run(["build", "-c", "release", "--package-path", folder, "--show-bin-path"])
    let products = place.text.split(separator: "\n").last.map(String.init) ?? ""
    let executable = try theExecutable(in: products)
    let record: JSONValue = ["sources": .string(hash), "executable": .string(executable)]
    try? Data(record.jsonText.utf8).write(to: URL(fileURLWithPath: stamp), options: .atomic)
    return executable
  }

  private func keptExecutable(_ hash: String) -> String? {
    guard let data = FileManager.default.contents(atPath: stamp),
      let record = try? JSONValue.parse(bytes: data), record["sources"]?.string == hash,
      let executable = record["executable"]?.string,
      FileManager.default.isExecutableFile(atPath: executable)
    else { return nil }
    return executable
  }

  private func theExecutable(in products: String) throws(RewardError) -> String {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: products)) ?? []).sorted()
    let executables = names.filter { name in
      var isFolder: ObjCBool = false
      let path = "\(products)/\(name)"
      return !name.contains(".")
        && FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        && !isFolder.boolValue && FileManager.default.isExecutableFile(atPath: path)
    }
    let own = URL(fileURLWithPath: folder).lastPathComponent
    guard
      let name = executables.count == 1 ? executables[0] : executables.first(where: { $0 == own })
    else {
      throw RewardError(
        .configuration,
        executables.isEmpty
          ? "reward \"\(use)\": the package builds no executable"
          : "reward \"\(use)\": the package builds several executables "
            + "(\(executables.joined(separator: ", "))): name one after the folder")
    }
    return "\(products)/\(name)"
  }

  private func run(_ arguments: [String]) -> (status: Int32, text: String) {
    let launch = ChildLaunch(
      executable: "/usr/bin/env", arguments: ["env", "swift"] + arguments,
      environment: ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" },
      directory: FileManager.default.currentDirectoryPath)
    var text: [UInt8] = []
    let end = SupervisedProgram.run(launch) { bytes, _ in
      text += bytes
      if text.count > 1 << 20 { text.removeFirst(text.count - 8192) }
    }
    let said = String(decoding: text.suffix(8192), as: UTF8.self)
    switch end {
    case .exited(let status): return (status, said)
    case .couldNotStart(let reason): return (127, "swift can't be run: \(reason)")
    case .signalled(let signal):
      return (128 + signal, said + "\nswift was ended by signal \(signal)")
    case .cancelled: return (130, said)
    }
  }
}
