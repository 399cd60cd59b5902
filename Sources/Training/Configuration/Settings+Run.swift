extension SettingDeclaration {
  static let runSettings: [SettingDeclaration] = [
    .text(
      "run", \.run, .path, absent: "a new folder under runs/, named by date and model", "Run",
      "folder of the run, or its name under runs/; must not exist yet",
      peers: [.trl("output_dir"), .verl("trainer.default_local_dir")]),
    .integer(
      "seed", \.seed, 0...Int(Int32.max), "Run",
      "seed of initialisation, shuffling and sampling",
      peers: [.verl("data.seed")]),
    .text(
      "like", \.like, absent: "no preset", "Run",
      "preset of the arithmetic by paper or peer; 'grpo objective --explain PRESET' prints it",
      peers: [.verl("algorithm.adv_estimator", "one part of a preset")]),
    .integer(
      "threads", \.threads, 1...1024, absent: "one for each core", "Run", unit: "threads",
      "threads of the numerical work; recorded, since a run repeats exactly with the same number"),
    .choice(
      "precision", \.precision, "Run",
      "what products round their operands to; weights, gradients, sums and softmax stay float32",
      peers: [
        .trl("bf16", "a flag there: precision bf16"), .trl("fp16", "a flag there: precision fp16"),
        .trl("dtype", "the weights' there, which stay float32 here"),
        .trl("torch_dtype", "the weights' there, which stay float32 here"),
        .verl("rollout.dtype"), .verl("fsdp_config.model_dtype"), .verl("param_dtype"),
        .openRLHF("bf16", "a flag there: precision bf16"),
      ],
      spellings: [
        "bfloat16": "bf16", "float16": "fp16", "half": "fp16", "fp32": "float32",
        "float": "float32", "true": "bf16",
      ]),
    .choice(
      "kv_cache_type", \.kvCacheType, "Run",
      "how keys and values are held; auto is the precision's own, the only one in bf16 and fp16",
      peers: [.verl("kv_cache_dtype"), .trl("cache_dtype")],
      spellings: ["bfloat16": "bf16", "float16": "fp16", "fp32": "float32"]),
    .bytes(
      "memory_limit", \.memoryLimit, absent: "80% of the machine's memory", "Run",
      "memory that the plan may use; the run is refused where it can't fit"),
    .integer(
      "micro_batch_tokens", \.microBatchTokens, 1...1_000_000_000,
      absent: "what the memory plan allows", "Run", unit: "tokens",
      "tokens that pass through forward and backward at once; changes memory, not the mathematics",
      peers: [
        .trl("per_device_train_batch_size", "counts completions a pass"),
        .trl("gradient_accumulation_steps", "the update is cut by tokens here"),
        .verl("ppo_micro_batch_size_per_gpu", "counts completions"),
        .verl("actor.ppo_max_token_len_per_gpu"), .nemo("train_micro_batch_size"),
      ]),
    .boolean(
      "gradient_checkpointing", \.gradientCheckpointing, absent: "where memory_limit asks for it",
      "Run",
      "whether the backward pass computes activations again: less memory, a third more work, same bits",
      peers: [
        .verl("model.enable_gradient_checkpointing"), .nemo("policy.activation_checkpointing"),
      ]),
    .choice(
      "on_nonfinite", \.onNonfinite, "Run",
      "what a loss, gradient or log-probability that isn't finite does to the run"),
  ]

  static let savingSettings: [SettingDeclaration] = [
    .integer(
      "save_steps", \.saveSteps, 1...1_000_000_000, "Checkpoints", unit: "steps",
      "steps between checkpoints; one is always written at the end",
      peers: [.verl("trainer.save_freq"), .verl("save_freq")]),
    .integer(
      "save_total_limit", \.saveTotalLimit, 1...1_000_000, absent: "all are kept", "Checkpoints",
      unit: "checkpoints", "newest checkpoints that are kept, besides the best one",
      peers: [.verl("trainer.max_actor_ckpt_to_keep"), .nemo("keep_top_k")]),
    .text(
      "metric_for_best_model", \.metricForBestModel, absent: "no best one is kept", "Checkpoints",
      "metric of the evaluation by which the best checkpoint is kept, such as eval_reward",
      peers: [.nemo("metric_name")]),
    .boolean(
      "greater_is_better", \.greaterIsBetter, "Checkpoints",
      "whether more of metric_for_best_model is better"),
    .choice(
      "save_dtype", \.saveDtype, "Checkpoints",
      "format of the weights in final/ and checkpoints; a checkpoint resumes exactly only in float32"
    ),
  ]

  static let loggingSettings: [SettingDeclaration] = [
    .integer(
      "logging_steps", \.loggingSteps, 1...1_000_000_000, "Logging", unit: "steps",
      "steps between lines on the screen; metrics.jsonl and the log have every step",
      peers: [.verl("trainer.log_freq")]),
    .integer(
      "num_completions_to_print", \.numCompletionsToPrint, 0...1000, "Logging",
      unit: "completions",
      "completions of each evaluation that are shown with their answers and rewards",
      peers: [.trl("log_completions", "a number here"), .verl("trainer.log_val_generations")]),
    .boolean(
      "tensorboard", \.tensorboard, "Logging", "whether TensorBoard event files are written",
      peers: [.verl("trainer.logger", "a list there")]),
  ]
}

extension PeerName {
  /// TRL's (or transformers') name.
  static func trl(_ name: String, _ difference: String? = nil) -> PeerName {
    PeerName(peer: "TRL", name: name, difference: difference)
  }
  /// verl's name.
  static func verl(_ name: String, _ difference: String? = nil) -> PeerName {
    PeerName(peer: "verl", name: name, difference: difference)
  }
  /// NeMo-RL's name.
  static func nemo(_ name: String, _ difference: String? = nil) -> PeerName {
    PeerName(peer: "NeMo-RL", name: name, difference: difference)
  }
  /// OpenRLHF's name.
  static func openRLHF(_ name: String, _ difference: String? = nil) -> PeerName {
    PeerName(peer: "OpenRLHF", name: name, difference: difference)
  }
  /// mlx-lm-lora's name.
  static func mlx(_ name: String, _ difference: String? = nil) -> PeerName {
    PeerName(peer: "mlx-lm-lora", name: name, difference: difference)
  }
}
