import Rollouts

/// A question that people ask of a run, by name.
public struct Report: Sendable {
  /// The word that calls it.
  public var name: String
  /// Its arguments as help shows them: `ID`, `[STEP]`.
  public var arguments: String
  /// What it answers, in a few words.
  public var summary: String
  /// The filters that it obeys; others say nothing to it.
  public var filters: Set<ReportFilter>
  /// Answers it.
  public var make: @Sendable (ReportRequest) throws(StoreError) -> ReportPage

  /// All reports in the order of help.
  public static let all: [Report] = [
    .summary, .steps, .best, .worst, .groups, .hard, .solvedSince, .prompt, .completion, .rewards,
    .lengths, .turns, .tools, .ratioTails, .errors, .cost, .compare, .drift,
  ]

  /// The report of a name.
  public static func named(_ name: String) -> Report? { all.first { $0.name == name } }
}

/// A narrowing of reports, under its option's name.
public enum ReportFilter: String, CaseIterable, Sendable {
  case step, reward, match, order, limit, tied
  case condition = "where"
  case solvedAt = "solved-at"
}

extension Set<ReportFilter> {
  /// What narrows trajectories.
  static let trajectories: Self = [.step, .reward, .condition, .match]
  /// What narrows and orders a list of trajectories.
  static let list: Self = trajectories.union([.order, .limit])
  /// What narrows and orders a list of steps, groups or problems.
  static let stepList: Self = [.step, .order, .limit]
}

/// What a report is asked about.
public struct ReportRequest {
  /// The log.
  public var session: QuerySession
  /// The run within the log; nil for the last one.
  public var run: Int?
  /// The words after the report's name.
  public var arguments: [String]
  /// Which trajectories.
  public var filter: TrajectoryFilter
  /// The reward from which a completion counts as solved; nil for the highest that the run saw.
  public var solvedAt: Double?
  /// Whether only groups whose rewards are all equal are meant.
  public var tiedOnly = false
  /// The other runs of a comparison.
  public var others: [(session: QuerySession, run: Int?)] = []
  /// Gives a token's text, where the run's tokenizer is at hand.
  public var tokenText: ((TokenID) -> String)?

  /// Makes a request about everything in a log's last run.
  public init(session: QuerySession, arguments: [String] = []) {
    self.session = session
    self.arguments = arguments
    filter = TrajectoryFilter()
  }
}

/// A report's answer, for a terminal, a file or a program to render.
public struct ReportPage: Sendable, Equatable {
  /// What the page is about.
  public var title: String
  /// Its parts in order.
  public var sections: [ReportSection]

  /// Makes a page.
  public init(title: String, sections: [ReportSection] = []) {
    self.title = title
    self.sections = sections
  }

  /// The page's main table: its first.
  public var mainTable: ReportTable? {
    for section in sections { if case .table(_, _, let table) = section { return table } }
    return nil
  }
}

/// A part of a report; `key` names it for programs, `title` for people.
public enum ReportSection: Sendable, Equatable {
  /// Names with their values.
  case facts(key: String, title: String, [Fact])
  /// Rows under headings.
  case table(key: String, title: String, ReportTable)
  /// Numbers over the steps.
  case curves(key: String, title: String, [Curve])
  /// A text as it is.
  case text(key: String, title: String, String)
  /// A completion token by token.
  case tokens(key: String, title: String, [TokenCell])
  /// A remark for people.
  case note(String)

  /// A name with its value.
  public struct Fact: Sendable, Equatable {
    /// What it is.
    public var name: String
    /// Its value.
    public var value: QueryValue
    /// How people see it.
    public var format: ReportTable.Format
  }

  /// A number over the steps.
  public struct Curve: Sendable, Equatable {
    /// What it is.
    public var name: String
    /// The steps, ascending.
    public var steps: [Int]
    /// A value per step.
    public var values: [Double]
  }

  /// A token with what was logged of it.
  public struct TokenCell: Sendable, Equatable {
    /// Its index in the vocabulary.
    public var id: TokenID
    /// Whether it was observed between two turns, and not sampled.
    public var isObserved = false
    /// Its text, where the tokenizer is at hand.
    public var text: String?
    /// By the sampler, in nats.
    public var logProbability: Double?
    /// Of the distribution it was sampled from, in nats.
    public var entropy: Double?
    /// The importance ratio of the last update.
    public var ratio: Double?
    /// Its advantage.
    public var advantage: Double?
    /// How many tokens truncated sampling left to choose from; nil for all, or all but `excludedCount`.
    public var keptCount: Int?
    /// How many tokens could not be chosen, where that is what the log says.
    public var excludedCount: Int?
  }
}

/// Rows under headings, values as they are.
public struct ReportTable: Sendable, Equatable {
  /// How a value is shown to people.
  public enum Format: Sendable, Equatable {
    /// A whole number, or text on one line.
    case plain
    /// A number with a few significant digits.
    case number
    /// A share as a percentage.
    case share
    /// Long text, cut where the table must fit.
    case text
    /// A prompt: its end says what was asked, so its start is cut.
    case prompt
    /// Text whose end matters, as of a worked solution; numbers in full.
    case ending
    /// A duration in seconds.
    case seconds
    /// A JSON object, names with their values.
    case object

    /// Whether the start is cut where the table must fit.
    public var losesStart: Bool { self == .prompt || self == .ending }
  }

  /// A column: its name for programs, its heading for people.
  public struct Column: Sendable, Equatable {
    /// Its name in JSON and CSV.
    public var key: String
    /// Its heading.
    public var title: String
    /// How people see its values.
    public var format: Format
    /// Where a table is too wide for people, the column of the greatest rank goes first; 0 stays.
    public var rank = 0
  }

  /// The columns.
  public var columns: [Column]
  /// The rows, a value per column.
  public var rows: [[QueryValue]]
  /// Whether people see long cells whole, in several lines, rather than cut.
  public var isWhole = false

  /// Makes a table of columns given as `key`, or `key: title`.
  init(_ columns: [(String, Format)], rows: [[QueryValue]] = []) {
    self.columns = columns.map { name, format in
      let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
      guard parts.count == 2, parts[1].hasPrefix(" ") else {
        return Column(key: name, title: name.replacing("_", with: " "), format: format)
      }
      return Column(key: parts[0], title: String(parts[1].dropFirst()), format: format)
    }
    self.rows = rows
  }

  /// Names the columns that a narrow terminal goes without, in the order in which they go.
  mutating func yield(_ keys: String...) {
    for (place, key) in keys.enumerated() {
      for index in columns.indices where columns[index].key == key {
        columns[index].rank = keys.count - place
      }
    }
  }
}
