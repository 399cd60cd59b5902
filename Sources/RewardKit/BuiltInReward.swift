import Rollouts

/// What a reward judges; the health checks compare the two.
public enum RewardCategory: String, Sendable {
  /// Whether the answer is right.
  case answer
  /// Whether a program works.
  case program
  /// How the completion is written: tags, length, repetition.
  case form
  /// Neither is known, as for a user's plugin.
  case other
}

/// What `grpo reward list` and the docs say about a built-in reward.
public struct BuiltInDescription: Sendable {
  /// The name by which a config uses it.
  public var name: String
  /// What it rewards, in one line.
  public var summary: String
  /// What it judges.
  public var category: RewardCategory
  /// The columns that a row must have.
  public var columns: [String]
  /// Its settings.
  public var parameters: [RewardParameter]
  /// The source: a paper with its equation, or the program whose rule it is.
  public var source: String

  /// Describes a built-in reward.
  public init(
    name: String, summary: String, category: RewardCategory, columns: [String] = [],
    parameters: [RewardParameter] = [], source: String = ""
  ) {
    self.name = name
    self.summary = summary
    self.category = category
    self.columns = columns
    self.parameters = parameters
    self.source = source
  }
}

/// A reward that ships with the program and runs in its process.
///
/// It must be total: no input may make it trap, run long or use memory out of proportion.
public protocol BuiltInReward: Reward {
  /// Its name, settings and source.
  static var about: BuiltInDescription { get }
  /// Makes the reward from settings that fit the declaration.
  /// - Throws: faults that the declaration alone can't see.
  init(parameters: RewardParameters) throws(RewardParameterError)
  /// The least and greatest score, where they are known.
  var range: ClosedRange<Double>? { get }
  /// A completion of a problem that must get the greatest score, where the row gives one.
  func goldCompletion(for problem: Problem) -> String?
  /// Why no completion of a problem can be scored, as a clause: its answer is missing, or can't be
  /// read. Nil where the row is in order.
  func fault(in problem: Problem) -> String?
}

extension BuiltInReward {
  /// The answer itself.
  public func goldCompletion(for problem: Problem) -> String? {
    Self.about.columns.first.flatMap { problem.columns[$0]?.plainText }
  }

  /// None.
  public func fault(in problem: Problem) -> String? { nil }
}

/// A reward that ships with the program as a source text for another interpreter, and runs in a
/// child process.
public struct ShippedScript: Sendable {
  /// Its name, settings and source.
  public var about: BuiltInDescription
  /// The Python program that speaks the line protocol.
  public var python: String
  /// Whether it runs model-written code and is isolated unless the user says otherwise.
  public var isIsolated: Bool
  /// The completion that must get the greatest score, of a problem's columns.
  public var goldCompletion: @Sendable (Problem) -> String?
  /// Why a problem can't be scored, as far as that is seen without the script; nil where it can.
  public var fault: @Sendable (Problem) -> String?

  /// Describes a script.
  public init(
    about: BuiltInDescription, python: String, isIsolated: Bool,
    goldCompletion: @escaping @Sendable (Problem) -> String?,
    fault: @escaping @Sendable (Problem) -> String? = { _ in nil }
  ) {
    self.about = about
    self.python = python
    self.isIsolated = isIsolated
    self.goldCompletion = goldCompletion
    self.fault = fault
  }
}

/// The rewards that ship with a program, found by name.
public struct RewardCatalogue: Sendable {
  /// Those that run in process.
  public var builtIns: [any BuiltInReward.Type]
  /// Those that are scripts.
  public var scripts: [ShippedScript]
  /// Names of executables that lie beside the program: name, and the file's name.
  public var executables: [(name: String, file: String)]

  /// Makes a catalogue.
  public init(
    builtIns: [any BuiltInReward.Type] = [], scripts: [ShippedScript] = [],
    executables: [(name: String, file: String)] = []
  ) {
    self.builtIns = builtIns
    self.scripts = scripts
    self.executables = executables
  }

  /// Every name, in the order of the catalogue.
  public var names: [String] {
    builtIns.map { $0.about.name } + scripts.map(\.about.name) + executables.map(\.name)
  }
}

extension JSONValue {
  /// The value as a person would write it in a text: a string bare, 18.0 as 18, the rest as JSON.
  public var plainText: String {
    switch self {
    case .string(let text): return text
    case .number(let value):
      if let whole = Int64(exactly: value) { return String(whole) }
      return "\(value)"
    default: return jsonText
    }
  }
}
