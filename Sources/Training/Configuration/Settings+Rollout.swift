import Rollouts

extension SettingDeclaration {
  static let lengthSettings: [SettingDeclaration] = [
    .integer(
      "max_steps", \.maxSteps, 1...1_000_000_000, absent: "given by num_train_epochs",
      "Length of the run", unit: "steps",
      "steps of the run; a step is one rollout (TRL's max_steps counts optimiser updates)",
      peers: [.verl("trainer.total_training_steps"), .nemo("max_num_steps")]),
    .number(
      "num_train_epochs", \.numTrainEpochs, .aboveZero...1_000_000, "Length of the run",
      unit: "passes", "passes over the dataset where max_steps isn't given",
      peers: [.verl("trainer.total_epochs"), .openRLHF("num_episodes"), .nemo("max_num_epochs")]),
    .integer(
      "prompts_per_step", \.promptsPerStep, 1...1_000_000, "Length of the run", unit: "prompts",
      "prompts of a step (prompts, not completions)",
      peers: [
        .verl("data.train_batch_size"), .nemo("num_prompts_per_step"),
        .openRLHF("rollout_batch_size"), .mlx("batch_size"),
      ]),
    .integer(
      "num_generations", \.numGenerations, 1...65_536, "Length of the run", unit: "completions",
      "completions per prompt: the group",
      peers: [
        .verl("rollout.n"), .nemo("num_generations_per_prompt"),
        .openRLHF("n_samples_per_prompt"), .mlx("group_size"),
      ]),
    .integer(
      "updates_per_rollout", \.updatesPerRollout, 1...1_000_000, "Length of the run",
      unit: "updates", "equal parts, by whole groups, into which a step is cut, an update each",
      peers: [
        .trl("steps_per_generation", "counts micro-batches"),
        .verl("ppo_mini_batch_size", "the size of a part there"),
        .nemo("train_global_batch_size", "the size of a part there"),
        .openRLHF("train_batch_size", "the size of a part there"),
      ]),
    .boolean(
      "dynamic_sampling", \.dynamicSampling, "Length of the run",
      "whether groups whose rewards are all equal are dropped and other prompts drawn instead",
      peers: [
        .verl("algorithm.filter_groups.enable"), .nemo("use_dynamic_sampling"),
        .openRLHF("dynamic_filtering"),
      ]),
    .integer(
      "dynamic_sampling_limit", \.dynamicSamplingLimit, 1...1000, "Length of the run",
      unit: "rollouts", "rollouts that a step may take before it goes on with the groups it has",
      peers: [
        .verl("algorithm.filter_groups.max_num_gen_batches"),
        .nemo("dynamic_sampling_max_gen_batches"),
      ]),
  ]

  static let samplingSettings: [SettingDeclaration] = [
    .integer(
      "max_completion_length", \.maxCompletionLength, 1...1_000_000_000, "Sampling",
      unit: "tokens", "longest completion",
      peers: [
        .verl("data.max_response_length"), .verl("max_response_length"),
        .openRLHF("generate_max_len"), .trl("max_new_tokens"), .trl("max_tokens"),
      ]),
    .integer(
      "min_new_tokens", \.minNewTokens, 0...1_000_000_000, "Sampling", unit: "tokens",
      "tokens before which a completion can't end"),
    .number(
      "temperature", \.temperature, .aboveZero...1000, "Sampling",
      "logits are divided by it, in sampling and in training alike",
      peers: [.verl("rollout.temperature")]),
    .number(
      "top_p", \.topP, .aboveZero...1, "Sampling",
      "least probability mass from which tokens are drawn; 1 keeps all",
      peers: [.verl("rollout.top_p")]),
    .integer(
      "top_k", \.topK, 0...1_000_000_000, "Sampling", unit: "tokens",
      "most probable tokens from which one is drawn; 0 keeps all",
      peers: [.verl("rollout.top_k", "-1 keeps all there")]),
    .number(
      "min_p", \.minP, 0...1, "Sampling",
      "least probability of a token relative to the most probable one; 0 keeps all"),
    .list(
      "stop", \.stop, absent: "end tokens only", "Sampling",
      "text that ends a completion; it is trained, and rewards see the text before it",
      peers: [.trl("stop_strings"), .nemo("stop_strings")]),
  ]

  static let evaluationSettings: [SettingDeclaration] = [
    .integer(
      "eval_steps", \.evalSteps, 1...1_000_000_000, absent: "at the start and the end only",
      "Evaluation", unit: "steps", "steps between evaluations",
      peers: [.verl("trainer.test_freq"), .nemo("val_period")]),
    .boolean(
      "eval_on_start", \.evalOnStart, "Evaluation",
      "whether the model is evaluated before the first step (TRL's default is false)",
      peers: [.verl("trainer.val_before_train"), .nemo("val_at_start")]),
    .integer(
      "num_generations_eval", \.numGenerationsEval, 1...65_536,
      absent: "1 at temperature 0, else num_generations",
      "Evaluation", unit: "completions",
      "completions per prompt in evaluation, for pass@k and maj@k",
      peers: [.verl("val_kwargs.n"), .openRLHF("eval_n_samples_per_prompt")]),
    .number(
      "eval_temperature", \.evalTemperature, 0...1000, absent: "temperature", "Evaluation",
      "temperature in evaluation; 0 takes the most probable token",
      peers: [.verl("val_kwargs.temperature"), .openRLHF("eval_temperature")]),
    .number(
      "eval_top_p", \.evalTopP, .aboveZero...1, "Evaluation", "top_p in evaluation",
      peers: [.verl("val_kwargs.top_p")]),
    .integer(
      "max_eval_rows", \.maxEvalRows, 1 ... .max, absent: "all", "Evaluation", unit: "rows",
      "rows of an evaluation, from the first",
      peers: [.trl("max_eval_samples"), .verl("data.val_max_samples")]),
  ]

  static let optimizerSettings: [SettingDeclaration] = [
    .number(
      "learning_rate", \.learningRate, 0 ... .unbounded, "Optimiser",
      "AdamW's learning rate at the top of the schedule",
      peers: [
        .verl("optim.lr"), .openRLHF("actor_learning_rate"), .mlx("lr"), .nemo("optimizer.lr"),
      ]),
    .choice(
      "lr_scheduler_type", \.lrSchedulerType, "Optimiser",
      "how the rate moves over the optimiser updates after the warm-up; linear and cosine end at 0",
      peers: [.verl("optim.warmup_style"), .openRLHF("lr_scheduler")]),
    .integer(
      "warmup_steps", \.warmupSteps, 0...1_000_000_000, "Optimiser", unit: "updates",
      "optimiser updates over which the rate rises from 0",
      peers: [
        .trl("warmup_ratio", "a share of the updates there"), .verl("optim.lr_warmup_steps"),
        .verl("optim.lr_warmup_steps_ratio", "a share of the updates there"),
      ]),
    .number(
      "adam_beta1", \.adamBeta1, 0...1.0.nextDown, "Optimiser", "decay of the mean of gradients"),
    .number(
      "adam_beta2", \.adamBeta2, 0...1.0.nextDown, "Optimiser",
      "decay of the mean of squared gradients"),
    .number(
      "adam_epsilon", \.adamEpsilon, .aboveZero...1, "Optimiser",
      "number that keeps AdamW's division finite"),
    .number(
      "weight_decay", \.weightDecay, 0...1, "Optimiser",
      "decoupled weight decay",
      peers: [.verl("optim.weight_decay")]),
    .choice(
      "weight_decay_exempt", \.weightDecayExempt, "Optimiser",
      "what does not decay unless parameter_groups gives it a weight_decay; TRL: norms_and_biases, verl: none"
    ),
    .number(
      "max_grad_norm", \.maxGradNorm, 0 ... .unbounded, "Optimiser",
      "largest norm of the whole gradient; a longer one is scaled down; 0 for no limit",
      peers: [.verl("grad_clip"), .openRLHF("max_norm")]),
    .number(
      "loss_scale", \.lossScale, .aboveZero...1e9, "Optimiser",
      "what the loss is multiplied by at first with precision fp16; it is halved where gradients overflow",
      peers: [
        .trl("initial_scale_power", "DeepSpeed's, a power of 2 there"),
        .verl("initial_loss_scale"),
      ]),
    .integer(
      "loss_scale_growth_interval", \.lossScaleGrowthInterval, 1...1_000_000_000, "Optimiser",
      unit: "updates", "updates without overflow after which it grows",
      peers: [.trl("loss_scale_window", "DeepSpeed's"), .trl("growth_interval")]),
    .number(
      "loss_scale_factor", \.lossScaleFactor, 1.01...65_536, "Optimiser",
      "by what it grows and shrinks",
      peers: [.trl("growth_factor"), .trl("backoff_factor", "its inverse there")]),
    SettingDeclaration(
      name: "parameter_groups", section: "Optimiser", kind: .values, absent: "none", unit: nil,
      help:
        "parameters with rates of their own: {match: \"*norm*\", learning_rate: …, weight_decay: …}",
      peers: [],
      read: { .array($0.parameterGroups.map(\.json)) },
      write: { configuration, json in
        capture { () throws(SettingFault) in
          var groups: [ParameterGroup] = []
          for element in json.isNull ? [] : json.array ?? [json] {
            groups.append(try ParameterGroup(json: element))
          }
          configuration.parameterGroups = groups
        }
      }),
  ]
}
