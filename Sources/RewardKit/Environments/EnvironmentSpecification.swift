import Foundation
import Rollouts

/// The tools and the environment that trajectories meet, as a config names them.
public struct EnvironmentSpecification: Sendable, Equatable {
  /// Files with functions that the policy may call, each `file.py`, `file.py:name,name` or `module:name`.
  public var tools: [String] = []
  /// The environment with its limits, in the form that a reward has; nil where there are tools alone.
  public var environment: RewardSpecification?

  /// A specification; nil where neither tools nor an environment are named.
  public init?(tools: [String], environment: RewardSpecification?) {
    guard !tools.isEmpty || environment != nil else { return nil }
    self.tools = tools
    self.environment = environment
  }
}

/// An environment that is ready to be started.
public struct ResolvedEnvironment: Sendable {
  let recipe: PluginRecipe
  /// A hash of what it is made of, for the run's record.
  public let contentHash: String
  /// Its name, for messages.
  public var name: String { recipe.name }
}

extension EnvironmentSpecification {
  /// Finds what is named.
  /// - Parameter columns: the data set's columns; nil where there is none.
  /// - Throws: `RewardError` with every fault.
  public func resolved(columns: [String]?) throws(RewardError) -> ResolvedEnvironment {
    let resolver = RewardResolver(catalogue: RewardCatalogue(), columns: columns, data: "the data")
    let limits = environment ?? Self.toolLimits
    if let environment, tools.isEmpty, !Self.isPython(environment.use) {
      let found = try resolver.resolve(environment)
      guard case .child(let recipe) = found.way else {
        throw RewardError(
          .configuration, "environment \"\(environment.use)\" is neither an executable nor Python")
      }
      return ResolvedEnvironment(recipe: recipe, contentHash: found.description.contentHash)
    }
    var faults: [String] = []
    func target(_ text: String, _ what: String) -> (target: String, names: String) {
      let function =
        PythonFunction(ofFile: text)
        ?? (text.hasSuffix(".py") ? PythonFunction(file: text) : PythonFunction(ofModule: text))
      guard let function else {
        faults.append("\(what) \"\(text)\" is no Python file and no module: expected file.py:NAME")
        return ("", "")
      }
      guard function.target.hasSuffix(".py") else { return (function.target, function.function) }
      let path = RewardResolver.absolute(function.target)
      if !FileManager.default.fileExists(atPath: path) {
        faults.append("\(what) \"\(text)\": there is no file \(path)")
      }
      return (path, function.function)
    }
    let named = tools.map { target($0, "tools") }
    let place = environment.map { target($0.use, "environment") }
    guard faults.isEmpty else { throw RewardError(.configuration, faults) }
    func pair(_ one: (target: String, names: String)) -> JSONValue {
      [.string(one.target), .string(one.names)]
    }
    let words: JSONValue = [
      "tools": .array(named.map(pair)), "environment": place.map(pair) ?? .null,
    ]
    let files = (named + [place].compactMap(\.self)).map(\.target).filter { $0.hasSuffix(".py") }
    let name =
      limits.name ?? environment.map { URL(fileURLWithPath: $0.use).lastPathComponent } ?? "tools"
    return try resolver.pythonEnvironment(limits, name: name, files: files, words: words)
  }

  /// A tool may take longer than a reward: it may ask the world.
  private static var toolLimits: RewardSpecification {
    var limits = RewardSpecification(use: "tools")
    limits.timeLimit = 30
    return limits
  }

  private static func isPython(_ use: String) -> Bool {
    if PythonFunction(ofFile: use) != nil { return true }
    if use.hasSuffix(".py") { return !RewardResolver.isProgram(RewardResolver.absolute(use)) }
    return !FileManager.default.fileExists(atPath: RewardResolver.absolute(use))
      && PythonFunction(ofModule: use) != nil
  }
}
