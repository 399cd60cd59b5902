import Foundation
import Rollouts

/// A reward that is ready to be started.
struct ResolvedReward: Sendable {
  enum Way: Sendable {
    case inProcess(any BuiltInReward)
    case child(PluginRecipe)
  }

  var way: Way
  var description: RewardDescription
  var mapping: RewardColumns
  /// The columns that a plugin says it reads; nil for all.
  var reads: Set<String>?
  /// A completion that must get the full score, of a problem with its columns mapped.
  var gold: @Sendable (Problem) -> String? = { _ in nil }
  /// Why a problem can't be scored, with its columns mapped; nil where it can.
  var fault: @Sendable (Problem) -> String? = { _ in nil }
}

/// Finds what a specification means: a built-in, an executable, a Python function, a package.
struct RewardResolver {
  let catalogue: RewardCatalogue
  /// The dataset's columns; nil where there is no dataset yet, and nothing to check against.
  let columns: [String]?
  /// What the columns are of, for messages: a file's name.
  let data: String
  let files = FileManager.default

  /// - Throws: every fault of the specification.
  func resolve(_ specification: RewardSpecification) throws(RewardError) -> ResolvedReward {
    let use = specification.use
    if let function = PythonFunction(ofFile: use) { return try python(specification, function) }
    let known = use.lowercased().replacing("-", with: "_")
    if !use.contains("/") {
      if let type = catalogue.builtIns.first(where: { $0.about.name == known }) {
        return try builtIn(specification, type)
      }
      if let script = catalogue.scripts.first(where: { $0.about.name == known }) {
        return try shippedScript(specification, script)
      }
      if let executable = catalogue.executables.first(where: { $0.name == known }) {
        return try shippedExecutable(specification, executable)
      }
    }
    let path = Self.absolute(use)
    var isFolder: ObjCBool = false
    guard files.fileExists(atPath: path, isDirectory: &isFolder) else {
      if let function = PythonFunction(ofModule: use) { return try python(specification, function) }
      throw RewardError(.configuration, unknown(use))
    }
    if isFolder.boolValue { return try package(specification, folder: path) }
    if path.hasSuffix(".py"), !Self.isProgram(path) {
      return try python(specification, PythonFunction(file: use))
    }
    guard files.isExecutableFile(atPath: path) else {
      throw RewardError(
        .configuration,
        "reward \"\(use)\" is a file that isn't executable: chmod +x \(use)")
    }
    return try child(
      specification, kind: .executable, name: Self.stem(path), executable: path,
      arguments: [path], contents: [path])
  }

  private func unknown(_ use: String) -> String {
    if use.contains("/") || use.contains(".") {
      return "reward \"\(use)\": there is no such file (looked for \(Self.absolute(use)))"
    }
    let hint =
      Spelling.nearest(to: use, among: catalogue.names).map { "did you mean \"\($0)\"?" }
      ?? "built in: \(catalogue.names.joined(separator: ", "))"
    return "reward \"\(use)\" is neither built in nor a file (\(hint))"
  }

  // MARK: In process

  private func builtIn(
    _ specification: RewardSpecification, _ type: any BuiltInReward.Type
  ) throws(RewardError) -> ResolvedReward {
    let about = type.about
    let name = specification.name ?? about.name
    var faults = columnFaults(specification, needing: about.columns, name: name)
    do throws(RewardParameterError) {
      let parameters = try RewardParameters(
        specification.parameters, declared: about.parameters)
      let reward = try type.init(parameters: parameters)
      if faults.isEmpty {
        var description = describe(specification, name, .builtIn)
        description.category = about.category
        description.range = reward.range
        description.sandbox = .none
        return ResolvedReward(
          way: .inProcess(reward), description: description,
          mapping: RewardColumns(specification.columns),
          gold: { reward.goldCompletion(for: $0) }, fault: { reward.fault(in: $0) })
      }
    } catch {
      faults = error.faults.map { "reward \"\(name)\": \($0)" } + faults
    }
    throw RewardError(.configuration, faults)
  }

  // MARK: Children

  private func python(
    _ specification: RewardSpecification, _ function: PythonFunction
  ) throws(RewardError) -> ResolvedReward {
    var target = function.target
    let isFile = target.hasSuffix(".py")
    if isFile {
      target = Self.absolute(target)
      guard files.fileExists(atPath: target) else {
        throw RewardError(
          .configuration, "reward \"\(specification.use)\": there is no file \(target)")
      }
    }
    let python = try self.python(
      specification, beside: isFile ? target : Self.absolute("./\(target)"))
    return try child(
      specification, kind: .pythonFunction, name: function.name, executable: python,
      arguments: [python, "-c", PythonAdapter.source, target, function.function],
      contents: isFile ? [target] : Self.localFiles(ofModule: target))
  }

  private func shippedScript(
    _ specification: RewardSpecification, _ script: ShippedScript
  ) throws(RewardError) -> ResolvedReward {
    let python = try self.python(specification, beside: nil)
    var completed = specification
    let name = specification.name ?? script.about.name
    var faults = columnFaults(specification, needing: script.about.columns, name: name)
    do throws(RewardParameterError) {
      completed.parameters = try RewardParameters(
        specification.parameters, declared: script.about.parameters
      ).values
    } catch {
      faults = error.faults.map { "reward \"\(name)\": \($0)" } + faults
    }
    guard faults.isEmpty else { throw RewardError(.configuration, faults) }
    if specification.sandbox == nil, script.isIsolated { completed.sandbox = .isolated }
    var resolved = try child(
      completed, kind: .shipped, name: script.about.name, executable: python,
      arguments: [python, "-c", script.python], contents: [])
    resolved.description.category = script.about.category
    resolved.gold = script.goldCompletion
    resolved.fault = script.fault
    return resolved
  }

  private func shippedExecutable(
    _ specification: RewardSpecification, _ executable: (name: String, file: String)
  ) throws(RewardError) -> ResolvedReward {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let path = program.deletingLastPathComponent().appendingPathComponent(executable.file).path
    guard files.isExecutableFile(atPath: path) else {
      throw RewardError(
        .configuration,
        "reward \"\(executable.name)\" needs the program \(executable.file) beside grpo, and there "
          + "is none at \(path): swift build -c release --product \(executable.file)")
    }
    return try child(
      specification, kind: .shipped, name: executable.name, executable: path, arguments: [path],
      contents: [path])
  }

  private func package(
    _ specification: RewardSpecification, folder: String
  ) throws(RewardError) -> ResolvedReward {
    guard files.fileExists(atPath: folder + "/Package.swift") else {
      throw RewardError(
        .configuration,
        "reward \"\(specification.use)\" is a folder without a Package.swift: name an executable "
          + "in it, or path.py:function")
    }
    let executable = try SwiftPackageBuilder(folder: folder, use: specification.use).executable()
    return try child(
      specification, kind: .swiftPackage, name: Self.stem(folder), executable: executable,
      arguments: [executable], contents: [executable])
  }

  private func child(
    _ specification: RewardSpecification, kind: RewardKind, name: String, executable: String,
    arguments: [String], contents: [String]
  ) throws(RewardError) -> ResolvedReward {
    let name = specification.name ?? name
    let faults =
      columnFaults(specification, needing: [], name: name)
      + specification.environment.compactMap { variable in
        ProcessInfo.processInfo.environment[variable] == nil
          ? "reward \"\(name)\": the variable \(variable) of its environment isn't set" : nil
      }
    guard faults.isEmpty else { throw RewardError(.configuration, faults) }
    var description = describe(specification, name, kind)
    description.contentHash = ContentHash.of(files: contents, and: arguments)
    let recipe = PluginRecipe(
      name: name, executable: executable, arguments: arguments, specification: specification,
      sandbox: description.sandbox,
      columns: columns.map { ($0 + specification.columns.keys.sorted()).uniqued() }, data: data)
    return ResolvedReward(
      way: .child(recipe), description: description,
      mapping: RewardColumns(specification.columns))
  }

  private func describe(
    _ specification: RewardSpecification, _ name: String, _ kind: RewardKind
  ) -> RewardDescription {
    RewardDescription(
      name: name, use: specification.use, weight: specification.weight, kind: kind,
      category: .other, range: nil, scope: .completion, isDeterministic: kind == .builtIn,
      sandbox: specification.sandbox ?? .none, contentHash: "", specification: specification)
  }

  private func columnFaults(
    _ specification: RewardSpecification, needing needed: [String], name: String
  ) -> [String] {
    guard let columns else { return [] }
    return RewardColumns.faults(
      of: specification, needing: needed, columns: columns, data: data, reward: name)
  }

  /// The Python adapter for tools and environments.
  /// - Parameter words: what it is to load, as its one argument.
  func pythonEnvironment(
    _ specification: RewardSpecification, name: String, files: [String], words: JSONValue
  ) throws(RewardError) -> ResolvedEnvironment {
    let python = try self.python(specification, beside: files.first)
    let found = try child(
      specification, kind: .pythonFunction, name: name, executable: python,
      arguments: [python, "-c", PythonAdapter.environments, words.jsonText], contents: files)
    guard case .child(let recipe) = found.way else {
      throw RewardError(.configuration, "environment \"\(name)\" is no program")
    }
    return ResolvedEnvironment(recipe: recipe, contentHash: found.description.contentHash)
  }

  // MARK: Paths

  /// The Python that a script is meant for: the one asked for, the active environment's, the one
  /// beside the script, the first of the path.
  private func python(
    _ specification: RewardSpecification, beside script: String?
  ) throws(RewardError) -> String {
    if let asked = specification.python {
      let path = asked.contains("/") ? Self.absolute(asked) : PythonInterpreter.program(asked)
      if let path, files.isExecutableFile(atPath: path) { return path }
      throw RewardError(
        .configuration, "reward \"\(specification.use)\": there is no Python at \"\(asked)\"")
    }
    let folder = script.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
    if let path = PythonInterpreter.find(beside: folder) { return path }
    throw RewardError(
      .configuration,
      "reward \"\(specification.use)\" needs Python, and there is no python3 in the PATH: install "
        + "it, or name one with python: \"/path/to/python3\"")
  }

  /// The files of a module that lies in the working folder; of an installed one its name must do.
  private static func localFiles(ofModule name: String) -> [String] {
    let path = absolute("./" + name.replacing(".", with: "/"))
    return [path + ".py", path + "/__init__.py"].filter {
      FileManager.default.fileExists(atPath: $0)
    }
  }

  static func absolute(_ path: String) -> String {
    URL(fileURLWithPath: NSString(string: path).expandingTildeInPath).standardizedFileURL.path
  }

  private static func stem(_ path: String) -> String {
    URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
  }

  /// Whether a script says itself how it is run.
  static func isProgram(_ path: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: path) && hasHashBang(path)
  }

  private static func hasHashBang(_ path: String) -> Bool {
    guard var file = try? FileReader(path, patience: 0), (try? file.readPiece()) == true else {
      return false
    }
    return file.piece.starts(with: "#!".utf8)
  }
}

extension [String] {
  /// The elements without repeats, in order.
  fileprivate func uniqued() -> [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}
