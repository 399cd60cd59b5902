// What the config.json of families with routed experts have in common.

import Rollouts
import Tensors

extension ConfigurationReader {
  /// More experts than any published model has.
  static let expertCounts = 1...65_536

  /// Routed experts whose weights are shares of a softmax.
  ///
  /// The parameters named usual are what the family assumes where the file leaves a key out.
  /// - Parameters:
  ///   - count: The names of the number of experts, of which the first that is there counts.
  ///   - size: The name of an expert's width.
  ///   - normalizes: Whether weights are shares of a softmax over the chosen experts alone.
  mutating func routedExperts(
    of sizes: DecoderSizes, count keys: [String], usualCount: Int, usualChosen: Int,
    size: String = "moe_intermediate_size", usualSize: Int, normalizes: Bool
  ) -> RoutedExperts.Design {
    requireActivation(.silu, key: "hidden_act")
    let key = keys.first { value($0) != nil } ?? keys[0]
    let count = integer(key, in: Self.expertCounts, default: usualCount)
    return RoutedExperts.Design(
      hiddenSize: sizes.hiddenSize,
      intermediateSize: integer(size, in: 1...Limits.intermediateSize, default: usualSize),
      routing: ExpertRouting(
        expertCount: count, chosenCount: chosenExpertCount(of: count, default: usualChosen),
        normalizes: normalizes))
  }

  /// k, at most the number of experts.
  mutating func chosenExpertCount(of experts: Int, default usual: Int) -> Int {
    let key = "num_experts_per_tok"
    let count = integer(key, in: Self.expertCounts, default: usual)
    guard count <= experts else {
      note(key, "\(count) is more than the number of experts (\(experts))")
      return experts
    }
    return count
  }

  /// Which layers have experts: each `decoder_sparse_step`-th, but those that `mlp_only_layers` lists.
  mutating func expertLayers(of sizes: DecoderSizes) -> [Bool] {
    let step = integer("decoder_sparse_step", in: 1...Int(Int32.max), default: 1)
    let key = "mlp_only_layers"
    let list = value(key)
    let dense = (list?.array ?? []).compactMap(\.integer)
    if let list, list.array?.count != dense.count {
      note(key, "expected a list of layers' numbers, found \(Self.shown(list))")
    }
    return (0..<sizes.layerCount).map { !dense.contains($0) && ($0 + 1) % step == 0 }
  }
}
