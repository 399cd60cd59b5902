import Rollouts

/// What a round of scoring will bring, told before its first completion: what is sampled at one time of a
/// step, or a batch of evaluation.
public struct ScoringRound: Sendable {
  /// The group of each completion, in the order in which group and step rewards see them.
  ///
  /// A request's `id` is its index here.
  public var groups: [Int]
  /// Where training stands; nil outside of it.
  public var state: TrainerState?
  /// Whether the policy learns from the scores: only then their health is watched.
  public var isTraining: Bool

  /// Announces a round.
  public init(groups: [Int], state: TrainerState? = nil, isTraining: Bool = false) {
    self.groups = groups
    self.state = state
    self.isTraining = isTraining
  }
}

/// A round under way: which completions came, and which groups are whole.
struct RoundProgress {
  let round: ScoringRound
  /// The id on the wire of the first completion.
  let firstID: Int
  /// The round's number on the scoreboard.
  let number: Int
  private(set) var requests: [RewardRequest?]
  /// The rows of each group, in order.
  private let members: [Int: [Int]]
  /// Completions of each group that are still to come.
  private var missing: [Int: Int]

  init(_ round: ScoringRound, firstID: Int, number: Int) {
    self.round = round
    self.firstID = firstID
    self.number = number
    requests = [RewardRequest?](repeating: nil, count: round.groups.count)
    members = Dictionary(grouping: round.groups.indices, by: { round.groups[$0] })
    missing = members.mapValues(\.count)
  }

  /// Takes in a completion.
  /// - Returns: the rows of its group, where it was the last that was missing.
  mutating func take(_ request: RewardRequest, row: Int) -> [Int]? {
    precondition(
      requests.indices.contains(row) && requests[row] == nil,
      "completion \(row) was not announced, or came before")
    requests[row] = request
    let group = round.groups[row]
    missing[group, default: 0] -= 1
    return missing[group] == 0 ? members[group] : nil
  }

  /// The rows that came, in order.
  var rows: [Int] { requests.indices.filter { requests[$0] != nil } }

  /// The rows that came of the groups that are not whole, group by group.
  var unfinishedGroups: [[Int]] {
    missing.filter { $0.value > 0 }.compactMap { members[$0.key] }
      .map { $0.filter { requests[$0] != nil } }.filter { !$0.isEmpty }
      .sorted { $0[0] < $1[0] }
  }
}
