import Foundation
import RewardKit
import Rollouts
import Training
import Transformer

/// `grpo train --dry-run`: the resolved settings, the rewards' greetings and what the run will take; writes
/// nothing.
struct DryRun {
  private let preparation: RunPreparation

  init(_ preparation: RunPreparation) { self.preparation = preparation }

  func print(_ context: CommandContext) throws -> ExitCode {
    let (rewards, warnings) = try refusing { try preparation.greetRewards() }
    for warning in warnings { context.warn(warning) }
    context.print(exactly: preparation.resolved.json.prettyJSONText)
    let plan = try refusing { try preparation.plan() }
    context.note("\nMemory, of a limit of \(NumberFormat.bytes(plan.memoryLimit)):")
    let groups = [
      ("held throughout", plan.memory.resident), ("sampling", plan.memory.sampling),
      ("update", plan.memory.update),
    ]
    for (phase, items) in groups {
      for item in items {
        context.note(
          "  " + TextLayout.pad(phase, to: 16) + TextLayout.pad(item.name, to: 24)
            + TextLayout.pad(NumberFormat.bytes(item.bytes), to: 12, .right))
      }
    }
    context.note(
      "  " + TextLayout.pad("peak", to: 40)
        + TextLayout.pad(NumberFormat.bytes(plan.memory.peak), to: 12, .right))
    context.note(
      "  a token takes \(NumberFormat.bytes(plan.memory.cacheBytesPerToken)) in the cache while sampling"
    )
    context.note(
      "  micro-batches of at most \(NumberFormat.grouped(plan.cut.rows)) tokens"
        + (plan.cut.recomputesActivations ? ", activations computed again" : ""))
    context.note("Disk, in \(preparation.folder.displayPath):")
    context.note(
      "  \(plan.disk.checkpoints) checkpoints of \(NumberFormat.bytes(plan.disk.checkpointBytes)), "
        + "final \(NumberFormat.bytes(plan.disk.finalBytes)), log at most "
        + "\(NumberFormat.bytes(plan.disk.logBytes)): \(NumberFormat.bytes(plan.disk.total))")
    context.note(rewards.isEmpty ? "Rewards: none is needed" : "Rewards, each started and greeted:")
    for reward in rewards {
      let weight = JSONValue.number(reward.weight).plainText
      context.note(
        "  \(reward.name): \(reward.kind.rawValue), scores \(RewardWords.text(of: reward.range)), "
          + "weight \(weight)")
    }
    return .done
  }
}
