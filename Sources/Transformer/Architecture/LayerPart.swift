import Tensors

/// A part of a layer, made from its declarations.
///
/// A part's bits for a row depend on that row's token, position and past alone, whatever rows stand beside it: sampling
/// and training run the same code.
protocol LayerPart: Sendable {
  /// y = residual + part(x); without a residual y = part(x).
  /// - Parameters:
  ///   - x: What the part takes, normed where a norm stands before it, [R, C].
  ///   - residual: The stream before the part, [R, C].
  ///   - y: [R, C].
  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun)

  /// Computes again what `forward` keeps, in the same bits, without its result.
  func recompute(_ x: Tensor, _ run: LayerRun)

  /// Adds the gradients of the part's tensors and gives that of its input.
  /// - Parameters:
  ///   - dy: The gradient of the part's output, [R, C]; the residual path is the caller's.
  ///   - x: What `forward` took.
  ///   - dx: [R, C], overwritten.
  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients)

  /// Floating-point operations of a token's forward pass that sees `context` positions; a backward pass takes twice as many.
  func flops(context: Int) -> Int
}

/// A part that lets tokens see those before them.
protocol AttentionPart: LayerPart {
  /// What it keeps of each token while completions are generated.
  var cache: KeyValueShape { get }
}

/// A part that treats each token by itself.
protocol FeedForwardPart: LayerPart {}

/// The rows that pass through a layer, and what its parts work with.
struct LayerRun {
  let model: LanguageModel
  let tokens: TokenRows
  /// The layer's keys and values.
  let cache: KeyValueBlocks
  /// What the layer keeps for its backward pass.
  let saved: SlotMemory
  /// Where routers write what they choose.
  var routes: RouteRecord?

  var compute: Compute { model.compute }
  var parameters: Parameters { model.parameters }
  var rows: Int { tokens.count }

  /// Room in a slot for all rows, with whatever it held.
  func reserve(_ slot: Slot) -> Tensor { memory(slot).reserve(slot, tokens: rows) }

  /// What was last reserved in a slot.
  subscript(slot: Slot) -> Tensor { memory(slot).tensor(slot) }

  private func memory(_ slot: Slot) -> SlotMemory {
    slot.lifetime == .saved ? saved : model.scratch
  }

  /// Rotates each head of rows by its token's position, from its number `first` on, in place; `inverse` is the gradient.
  func rotate(
    _ x: Tensor, heads: Int, by rotation: Int?, first: Int = 0, inverse: Bool = false
  ) {
    guard let rotation else { return }
    compute.rotate(
      x, heads: heads, positions: tokens.positions, by: model.rotaryTables[rotation],
      pairs: model.blueprint.rotations[rotation].pairs, first: first, inverse: inverse)
  }
}

/// The routes of rows as they pass through the layers.
final class RouteRecord {
  var table: RouteTable

  init(rows: Int, width: Int) { table = RouteTable(rows: rows, width: width) }
}
