/// What the loss is multiplied by before the backward pass in fp16, so that small gradients are not rounded to zero.
///
///     g' = s · g through the backward pass, g = g' / s for the norm and the optimiser
///
/// Where a gradient overflows, the update is left out and s ← s / factor; after `growthInterval` updates without overflow
/// s ← s · factor. Source: Micikevicius et al. 2018 (arXiv 1710.03740), section 3.2; torch.amp.GradScaler.
public struct LossScale: Codable, Equatable, Sendable {
  /// s.
  public private(set) var scale: Double
  /// Updates without overflow after which it grows.
  public let growthInterval: Int
  /// By what it grows and shrinks.
  public let factor: Double
  /// Updates since it last changed.
  public private(set) var applied = 0
  /// Updates that were left out so far.
  public private(set) var skipped = 0

  /// A scale as a run begins with it.
  public init(initial: Double, growthInterval: Int, factor: Double) {
    scale = initial
    self.growthInterval = growthInterval
    self.factor = factor
  }

  /// The least scale; where gradients overflow even here, they are not finite for another reason.
  static let least = 0x1p-24

  /// Takes note of an update.
  mutating func update(overflowed: Bool) {
    if overflowed {
      skipped += 1
      applied = 0
      scale /= factor
    } else {
      applied += 1
      guard applied == growthInterval else { return }
      applied = 0
      scale = min(scale * factor, 0x1p60)
    }
  }
}
