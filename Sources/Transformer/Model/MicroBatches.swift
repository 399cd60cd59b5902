import Rollouts

/// How many tokens a group has: what decides into which batches it is cut.
public struct GroupLengths: Sendable, Equatable {
  /// Tokens of the prompt.
  public var prompt: Int
  /// Tokens of each completion.
  public var completions: [Int]

  /// The lengths of a group.
  public init(prompt: Int, completions: [Int]) {
    self.prompt = prompt
    self.completions = completions
  }

  /// The rows that some of the completions take, with the prompt; a completion's last token predicts nothing.
  public func rows(_ range: Range<Int>) -> Int {
    completions[range].reduce(prompt) { $0 +| max(0, $1 - 1) }
  }
}

/// Completions of a group that are run in one batch, with the group's prompt.
public struct GroupSlice: Sendable, Equatable {
  /// The group.
  public var group: Int
  /// Which of its completions.
  public var completions: Range<Int>
}

/// What passes through the layers at once: whole groups where they fit.
public struct MicroBatch: Sendable, Equatable {
  /// Groups or parts of them, in order.
  public var slices: [GroupSlice]

  /// Cuts groups, in order, into batches of at most `rowLimit` rows.
  ///
  /// The completions of a group that is longer are spread over several batches, each with the prompt; a single
  /// completion that is too long stands alone.
  /// - Complexity: linear in the completions.
  public static func cut(_ groups: [GroupLengths], rowLimit: Int) -> [MicroBatch] {
    var batches: [MicroBatch] = []
    var rows = 0
    for slice in groups.indices.flatMap({ slices(of: groups[$0], index: $0, rowLimit) }) {
      let added = groups[slice.group].rows(slice.completions)
      if let last = batches.indices.last, rows +| added <= rowLimit {
        batches[last].slices.append(slice)
        rows +|= added
      } else {
        batches.append(MicroBatch(slices: [slice]))
        rows = added
      }
    }
    return batches
  }

  /// A group in parts of at most `rowLimit` rows, each with at least one completion.
  private static func slices(
    of group: GroupLengths, index: Int, _ rowLimit: Int
  ) -> [GroupSlice] {
    var slices: [GroupSlice] = []
    var start = 0
    var rows = group.prompt
    for (place, count) in group.completions.enumerated() {
      if rows +| count > rowLimit, place > start {
        slices.append(GroupSlice(group: index, completions: start..<place))
        start = place
        rows = group.prompt
      }
      rows +|= count
    }
    slices.append(GroupSlice(group: index, completions: start..<group.completions.count))
    return slices
  }
}

extension TokenGroup {
  /// How many tokens it has.
  public var lengths: GroupLengths {
    GroupLengths(prompt: prompt.count, completions: completions.map(\.count))
  }
}

extension PackedBatch {
  /// Lays out a micro-batch of groups.
  public init(_ microBatch: MicroBatch, of groups: [TokenGroup]) {
    self.init(
      microBatch.slices.map { slice in
        let group = groups[slice.group]
        return TokenGroup(
          prompt: group.prompt, completions: Array(group.completions[slice.completions]),
          observed: group.observed.isEmpty ? [] : Array(group.observed[slice.completions]))
      })
  }
}
