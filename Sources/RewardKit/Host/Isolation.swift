import Foundation
import Rollouts

/// What an isolated worker is shown of this machine besides the system's folders, and how it is started there.
///
/// The supervisor builds a tree of nothing else (CProcesses/tree.c): the interpreter's own folders, the folder of
/// the reward, and what `sandbox_read` names, each read-only at its own path.
struct Isolation: Sendable {
  /// What is shown, without one that lies in another; in the first `coveredCount` no pipe or socket can be opened.
  private(set) var folders: [String] = []
  private(set) var coveredCount = 0
  /// The program that is started, and its arguments: a script's interpreter is named by its real path.
  private(set) var executable: String
  private(set) var arguments: [String]
  /// Where it starts.
  private(set) var directory = scratch
  /// The interpreter's folder of programs, first in the PATH.
  private(set) var programs: String?
  /// Sentences about what it can't read and might look for.
  private(set) var notes: [String] = []

  /// The one folder that can be written to, empty at the start.
  static let scratch = "/dev/shm"
  private static let system = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store",
  ]
  /// Seconds that a Python may take to say where it is.
  private static let answerLimit = 30.0
  private static let never = ["/", "/proc", "/sys", "/dev"]

  /// - Throws: what is named to be read and can't be shown.
  init(
    of recipe: PluginRecipe, currentDirectory: String = FileManager.default.currentDirectoryPath
  ) throws(RewardError) {
    executable = recipe.executable
    arguments = recipe.arguments
    var named: [String] = []
    var faults: [String] = []
    for path in recipe.specification.sandboxRead {
      let absolute = RewardResolver.absolute(path)
      if !FileManager.default.fileExists(atPath: absolute) {
        faults.append("sandbox_read names \(absolute), which does not exist")
      }
      named.append(absolute)
    }
    named += Self.ownFolders(of: recipe)
    for path in named where Self.never.contains(path) || Self.lies(path, in: Self.never.dropFirst())
    {
      guard !Self.lies(path, in: [Self.scratch]) else { continue }
      faults.append(
        "its sandbox would have to show \(path), the machine itself: put the reward into a folder of its own"
      )
    }
    guard faults.isEmpty else {
      throw RewardError(.configuration, faults.map { "reward \"\(recipe.name)\": \($0)" })
    }
    let python = startInterpreter()
    show(covered: named, others: (python?.prefixes ?? []) + Self.swiftLibraries(of: recipe))
    let places = [currentDirectory] + named
    directory = places.first { isShown($0) && Self.isFolder($0) } ?? Self.scratch
    if let python { note(unseen: python.searched, reward: recipe.name) }
  }

  // MARK: What is shown

  /// The folders that hold the reward: of a script or program, and a package.
  private static func ownFolders(of recipe: PluginRecipe) -> [String] {
    var result: [String] = []
    let use = recipe.specification.use
    let named = RewardResolver.absolute(PythonFunction(ofFile: use)?.target ?? use)
    if use.contains("/"), isFolder(named) { result.append(named) }
    let files =
      recipe.arguments.dropFirst() + (isPython(recipe.executable) ? [] : [recipe.executable])
      + (use.contains("/") || named.hasSuffix(".py") ? [named] : [])
    for file in files where file.hasPrefix("/") && !file.contains("\n") && !isFolder(file) {
      guard FileManager.default.fileExists(atPath: file) else { continue }
      result.append((file as NSString).deletingLastPathComponent)
    }
    return result
  }

  /// The libraries that a package's executable was linked with, where they are not part of the system.
  private static func swiftLibraries(of recipe: PluginRecipe) -> [String] {
    guard FileManager.default.fileExists(atPath: recipe.specification.use + "/Package.swift"),
      let compiler = program(named: "swift")
    else { return [] }
    let tools = URL(fileURLWithPath: compiler).resolvingSymlinksInPath().deletingLastPathComponent()
    return [tools.deletingLastPathComponent().path + "/lib"]
  }

  private mutating func show(covered: [String], others: [String]) {
    let covered = Self.withoutInner(covered.flatMap(Self.bothNames))
    let others = Self.withoutInner(others.flatMap(Self.bothNames))
    // Of a folder around a covered one all is covered, since the inner one would else be seen through it.
    let around = others.filter { other in covered.contains { Self.lies($0, in: [other]) } }
    let first = Self.withoutInner(covered + around)
    folders = first + others.filter { !Self.lies($0, in: first) }
    coveredCount = first.count
  }

  /// A path as it is written and as links lead; programs use either.
  private static func bothNames(of path: String) -> [String] {
    [path, URL(fileURLWithPath: path).resolvingSymlinksInPath().path]
  }

  /// What lies neither in the system's folders nor in another of the list.
  private static func withoutInner(_ paths: [String]) -> [String] {
    var result: [String] = []
    for path in Set(paths).sorted() where !lies(path, in: system) && !lies(path, in: result) {
      if FileManager.default.fileExists(atPath: path) { result.append(path) }
    }
    return result
  }

  private static func lies(_ path: String, in folders: some Sequence<String>) -> Bool {
    folders.contains { path == $0 || path.hasPrefix($0 + "/") }
  }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  private func isShown(_ path: String) -> Bool {
    Self.lies(path, in: folders) || Self.lies(path, in: Self.system)
  }

  private mutating func note(unseen searched: [String], reward: String) {
    let unseen = searched.filter { Self.isFolder($0) && !isShown($0) }
    guard !unseen.isEmpty else { return }
    notes.append(
      "reward \"\(reward)\" is isolated and cannot read \(unseen.joined(separator: ", ")), where its Python "
        + "looks for modules; to show it, add sandbox_read: "
        + JSONValue.array(unseen.map { .string($0) }).jsonText)
  }

  // MARK: The interpreter

  private struct Python {
    /// Where it is installed: a virtual environment's folder, and the Python's that it is made of.
    var prefixes: [String]
    /// Where it looks for modules.
    var searched: [String]
  }

  /// Names the interpreter by its real path, since what finds it (a shim, a hash-bang) may not be shown.
  private mutating func startInterpreter() -> Python? {
    if Self.isPython(executable) {
      guard let (found, python) = Self.ask(executable) else { return nil }
      use(found)
      arguments[0] = found
      return python
    }
    guard let words = Self.hashBang(of: executable), let interpreter = words.first else {
      return nil
    }
    let options = words.dropFirst().filter { $0.hasPrefix("-") }
    if Self.isPython(interpreter), let (found, python) = Self.ask(interpreter) {
      arguments = [found] + options + [executable] + arguments.dropFirst()
      use(found)
      return python
    }
    guard !Self.lies(interpreter, in: Self.system) else { return nil }
    let real = URL(fileURLWithPath: interpreter).resolvingSymlinksInPath()
    arguments = [real.path] + options + [executable] + arguments.dropFirst()
    use(real.path)
    let folder = real.deletingLastPathComponent()
    return Python(
      prefixes: [
        folder.lastPathComponent == "bin" ? folder.deletingLastPathComponent().path : folder.path
      ],
      searched: [])
  }

  private mutating func use(_ interpreter: String) {
    executable = interpreter
    programs = (interpreter as NSString).deletingLastPathComponent
  }

  private static func isPython(_ path: String) -> Bool {
    (path as NSString).lastPathComponent.hasPrefix("python")
  }

  /// The words of a script's first line after `#!`, the program of `env` looked up; nil for other files.
  private static func hashBang(of path: String) -> [String]? {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard let start = try? file.read(upToCount: 512), start.starts(with: Data("#!".utf8)) else {
      return nil
    }
    let line = String(
      decoding: start.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    var words = line.split(whereSeparator: \.isWhitespace).map(String.init)
    guard let first = words.first, (first as NSString).lastPathComponent == "env" else {
      return words
    }
    words.removeFirst()
    words = Array(words.drop { $0.hasPrefix("-") || $0.contains("=") })
    guard let name = words.first, let found = program(named: name) else { return words }
    words[0] = found
    return words
  }

  private static func program(named name: String) -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Asks a Python where it is and where it looks; nil where it doesn't run, which its start will tell.
  private static func ask(_ interpreter: String) -> (executable: String, Python)? {
    let question =
      "import json, sys; print(json.dumps([sys.executable, [sys.prefix, sys.exec_prefix, sys.base_prefix, "
      + "sys.base_exec_prefix], [p for p in sys.path if p]]))"
    let launch = ChildLaunch(
      executable: interpreter, arguments: [interpreter, "-c", question],
      environment: ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" },
      directory: "/")
    var data: [UInt8] = []
    let deadline = now() + answerLimit
    let end = SupervisedProgram.run(launch, isCancelled: { now() > deadline }) { bytes, isError in
      if !isError, data.count < 1 << 20 { data += bytes }
    }
    guard end == .exited(0) else { return nil }
    guard let list = try? JSONValue.parse(bytes: data).array, list.count == 3,
      let executable = list[0].string
    else { return nil }
    func texts(_ value: JSONValue) -> [String] { value.array?.compactMap(\.string) ?? [] }
    let prefixes = texts(list[1]).filter { !never.contains($0) }
    return (executable, Python(prefixes: prefixes, searched: texts(list[2])))
  }
}
