import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Training

/// Every mutated file must be read or refused; a trap or a hang fails the run.
@Suite("Mutated files of rollouts and settings")
struct RolloutFuzzTests {
  private static let rollouts = #"""
    {"group": "a", "prompt_ids": [5, 6], "completion_ids": [7, 8], "reward": {"right": 1, "short": null}, "step": 1, "advantage": [0.5, -1], "old_logprobs": [-0.5, -2], "finish": "stop"}
    {"group": 1.5, "prompt": "1+2=", "completion": "3", "reward": -0.25, "columns": {"answer": "3"}, "steps": [{"end": 1, "score": 0.25}]}
    {"group": null, "prompt": [{"role": "user", "content": "x"}], "completion": [{"role": "assistant", "content": "y"}], "reward": null, "advantage": 2}

    """#

  @Test("files of rollouts")
  func files() throws {
    let folder = try TemporaryFolder()
    let url = folder["rollouts.jsonl"]
    var mutator = ByteMutator(seed: 9)
    var tally = (read: 0, refused: 0)
    for _ in 0..<ByteMutator.rounds {
      try Data(mutator.mutated(Array(Self.rollouts.utf8))).write(to: url)
      do throws(DatasetError) {
        _ = try RolloutFile(reading: url.path)
        tally.read += 1
      } catch {
        tally.refused += 1
      }
    }
    #expect(tally.read > 0 && tally.refused > 0)
  }

  @Test("config files")
  func configurations() throws {
    let folder = try TemporaryFolder()
    let url = folder["run.json5"]
    let text = #"""
      // A run.
      {model: 'models/x', reward: [{use: "regex", parameters: {pattern: "a+"}, weight: .5}, "b=2"],
       "learning_rate": 1e-5, max_steps: 0x10, stop: ["\n", 'it\'s'], parameter_groups: [{match: "*", weight_decay: 0.1,}],}
      """#
    var mutator = ByteMutator(seed: 10)
    var tally = (read: 0, refused: 0)
    for _ in 0..<ByteMutator.rounds {
      try Data(mutator.mutated(Array(text.utf8))).write(to: url)
      if (try? ConfigurationFile(path: url.path)) != nil {
        tally.read += 1
      } else {
        tally.refused += 1
      }
    }
    #expect(tally.read > 0 && tally.refused > 0)
  }
}
