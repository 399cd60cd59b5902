import Foundation
import Rollouts
import TestSupport
import Testing

/// Runs of a policy with latent attention and routed experts keep every promise of others.
@Suite("Runs of a DeepSeek policy")
struct LatentPolicyTests {
  /// V3's layers in small: one dense, one of experts in groups.
  private static let shape = """
    {
      "model_type": "deepseek_v3", "hidden_size": 48, "intermediate_size": 64,
      "num_hidden_layers": 2, "num_attention_heads": 4, "q_lora_rank": 24, "kv_lora_rank": 20,
      "qk_nope_head_dim": 12, "qk_rope_head_dim": 8, "v_head_dim": 10, "first_k_dense_replace": 1,
      "n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 24, "n_group": 4,
      "topk_group": 2, "n_shared_experts": 1, "max_position_embeddings": 64,
      "tie_word_embeddings": true, "initializer_range": 0.1, "vocab_size": 20
    }
    """

  private static let words = [
    "--model", "./policy", "--dataset", "arithmetic", "--eval-dataset", "arithmetic/eval",
    "--sft-dataset", "arithmetic", "--max-completion-length", "6", "--num-iterations", "2",
  ]

  private static func makePolicy(in folder: URL) throws {
    try Data(shape.utf8).write(to: folder.appendingPathComponent("shape.json"))
    let made = try BuiltCommand.run(
      ["init", "./policy", "--like", "shape.json", "--alphabet", "0123456789+-*=() "], in: folder)
    try #require(made.code == 0, "\(made.errors)")
    #expect(made.output.contains("deepseek_v3"))
  }

  @Test("killed it goes on, drawn again it agrees, and from its log it learns the same")
  func promises() throws {
    let folder = try TemporaryFolder()
    try Self.makePolicy(in: folder.url)
    // So fast that the second pass over a step finds ratios that are not 1.
    let words = Self.words + ["--learning-rate", "1e-3"]
    let trained = try ShortJob.train("run", in: folder.url, words)
    try #require(trained.code == 0, "\(trained.errors)")
    let reference = try RunResult(folder["run"])
    let steps = try RunResult.metrics(folder["run"]).compactMap {
      $0["sampler/logp_difference_max"]?.double
    }
    #expect(steps.count == 4 && steps.allSatisfy { $0 == 0 })

    let killed = try ShortJob.train(
      "killed", in: folder.url, words, environment: ["GRPO_CRASH_AT": "updating:4"])
    #expect(killed.code == -SIGKILL, "\(killed.errors)")
    let resumed = try ShortJob.resume("killed", in: folder.url)
    try #require(resumed.code == 0, "\(resumed.errors)")
    let again = try RunResult(folder["killed"])
    #expect(again.weights == reference.weights)
    #expect(again.metrics == reference.metrics)

    let replayed = try BuiltCommand.run(["replay", "./run"], in: folder.url)
    #expect(replayed.code == 0, "\(replayed.output)\(replayed.errors)")

    let learned = try BuiltCommand.run(
      ["train", "--rollouts", "./run", "--run", "./whatif"], in: folder.url)
    try #require(learned.code == 0, "\(learned.errors)")
    #expect(try RunResult(folder["whatif"]).weights == reference.weights)
    let changed = try BuiltCommand.run(
      ["train", "--rollouts", "./run", "--run", "./other", "--learning-rate", "2e-3"],
      in: folder.url)
    try #require(changed.code == 0, "\(changed.errors)")
    #expect(try RunResult(folder["other"]).weights != reference.weights)
  }

  @Test(
    "adapters on latent projections are trained, and merged into a model that transformers knows")
  func adapters() throws {
    let folder = try TemporaryFolder()
    try Self.makePolicy(in: folder.url)
    let trained = try ShortJob.train(
      "run", in: folder.url,
      Self.words + [
        "--use-peft", "--lora-r", "4", "--learning-rate", "1e-2", "--max-steps", "2",
        "--lora-target-modules", "q_b_proj,kv_a_proj_with_mqa,kv_b_proj,o_proj",
      ])
    try #require(trained.code == 0, "\(trained.errors)")
    let merged = try BuiltCommand.run(
      ["export", "--merge", "./run/final", "./whole"], in: folder.url)
    try #require(merged.code == 0, "\(merged.errors)")
    try Data(#"{"prompt": "012+345=", "completion": "357"}"#.utf8).write(to: folder["rows.jsonl"])
    func score(_ model: String) throws -> [Double] {
      let ended = try BuiltCommand.run(
        ["score", "--model", model, "--input", "rows.jsonl"], in: folder.url)
      try #require(ended.code == 0, "\(ended.errors)")
      return try JSONValue.parse(ended.output).object?["logprobs"]?.array?.compactMap(\.double)
        ?? []
    }
    let (adapted, whole) = try (score("./run/final"), score("./whole"))
    #expect(adapted.count >= 3)
    for (a, b) in zip(adapted, whole) { #expect(abs(a - b) < 1e-4) }
  }

  @Test("a dry run says what a token's latent takes in the cache")
  func dryRun() throws {
    let folder = try TemporaryFolder()
    try Self.makePolicy(in: folder.url)
    let ended = try ShortJob.train("run", in: folder.url, Self.words + ["--dry-run"])
    #expect(ended.code == 0, "\(ended.errors)")
    // Two layers of 20 + 8 numbers of 4 bytes.
    #expect(ended.errors.contains("a token takes 224 B in the cache"), "\(ended.errors)")
  }
}
