import Rollouts

extension SettingDeclaration {
  static let dataSettings: [SettingDeclaration] = [
    .list(
      "dataset", \.dataset, absent: "the embedded arithmetic job's", "Data",
      "file (JSONL, JSON, CSV, Parquet), folder or hub name in the cache; several are mixed: FILE=weight",
      peers: [
        .trl("dataset_name"), .verl("data.train_files"),
        .openRLHF("prompt_data"), .openRLHF("prompt_dataset"), .mlx("data"),
      ]),
    .list(
      "eval_dataset", \.evalDataset, absent: "none", "Data",
      "rows for evaluation, in the same forms",
      peers: [.verl("data.val_files"), .openRLHF("eval_dataset")]),
    .number(
      "eval_fraction", \.evalFraction, 0...1.0.nextDown, "Data",
      "share of the dataset kept for evaluation where eval_dataset isn't given; chosen by content"),
    .list(
      "columns", \.columns, separator: ",", absent: "columns keep their names", "Data",
      "columns to rename, NEW=OLD with dots into objects: prompt=question,answer=reward_model.ground_truth",
      peers: [
        .verl("data.prompt_key", "columns prompt=… here"),
        .openRLHF("input_key", "columns prompt=… here"),
        .openRLHF("label_key", "columns answer=… here"),
      ]),
    .boolean(
      "shuffle_dataset", \.shuffleDataset, "Data",
      "whether rows are shuffled anew each epoch, by the seed",
      peers: [.verl("data.shuffle")]),
    .text(
      "curriculum", \.curriculum, absent: "none", "Data",
      "column with each row's difficulty: the first epoch goes from the least to the greatest"),
    .choice(
      "prompt_priority", \.promptPriority, "Data",
      "solve_rate draws rows solved about half of the time more often than those solved always or never"
    ),
    .integer(
      "max_train_rows", \.maxTrainRows, 1 ... .max, absent: "all", "Data", unit: "rows",
      "rows that are used, from the first",
      peers: [.trl("max_train_samples"), .verl("data.train_max_samples"), .openRLHF("max_samples")]
    ),
    .integer(
      "min_prompt_length", \.minPromptLength, 0...1_000_000_000, "Data", unit: "tokens",
      "rows with shorter prompts are left out, and counted"),
    .integer(
      "max_prompt_length", \.maxPromptLength, 1...1_000_000_000,
      absent: "what the context leaves", "Data", unit: "tokens",
      "longest prompt",
      peers: [.verl("data.max_prompt_length"), .openRLHF("prompt_max_len")]),
    .choice(
      "overlong_prompts", \.overlongPrompts, "Data",
      "what becomes of longer prompts and SFT examples: refused by row, left out, cut at the beginning",
      peers: [
        .verl("data.filter_overlong_prompts", "overlong_prompts skip here"),
        .verl("data.truncation", "error or truncate_left here"),
      ]),
    .text(
      "rollouts", \.rollouts, .path, absent: "completions are sampled", "Data",
      "file of rollouts, or a run, to learn from without sampling"),
  ]

  static let rewardSettings: [SettingDeclaration] = [
    SettingDeclaration(
      name: "reward", section: "Rewards", kind: .values, absent: "the embedded job's", unit: nil,
      help: "NAME, PATH or PATH:FUNCTION, each with =weight, or an object; see 'grpo reward list'",
      peers: [
        .trl("reward_funcs"), .trl("reward_weights", "reward NAME=weight here"),
        .verl("custom_reward_function.path", "reward PATH:FUNCTION here"),
        .verl("custom_reward_function.name", "reward PATH:FUNCTION here"),
        .openRLHF("reward.remote_url"), .openRLHF("remote_rm_url"),
        .mlx("reward_functions_file"),
      ],
      read: { .array($0.reward) },
      write: { configuration, json in
        let elements = json.isNull ? [] : json.array ?? [json]
        for element in elements where element.object == nil && element.string?.isEmpty != false {
          return SettingFault("must be texts or objects, not \(element.jsonText)")
        }
        configuration.reward = elements
        return nil
      }),
    .number(
      "reward_time_limit", \.rewardTimeLimit, .aboveZero...86_400, absent: "10", "Rewards",
      unit: "seconds",
      "time a reward may take for one completion before it is ended; a reward's own time_limit wins",
      peers: [.verl("compute_score_timeout")]),
    .integer(
      "reward_workers", \.rewardWorkers, 1...1024, absent: "1", "Rewards",
      unit: "processes", "processes of each reward that runs outside the program"),
    .number(
      "reward_failure_limit", \.rewardFailureLimit, 0...1, "Rewards",
      "share of a step's completions whose scoring may fail before the run stops"),
    .boolean(
      "reward_cache", \.rewardCache, "Rewards",
      "whether a deterministic reward's results are reused for equal completions"),
    .text(
      "iteration_hook", \.iterationHook, .path, absent: "none", "Rewards",
      "program run whenever the reference was refreshed, with a file of completions; rewards start anew"
    ),
    .number(
      "iteration_history", \.iterationHistory, 0...0.99, "Rewards",
      "share of completions from earlier iterations in that file"),
    .choice(
      "sandbox", \.sandbox, "Rewards",
      "walls around reward processes; isolated is needed for code that a model wrote",
      absent: "each reward's own"),
  ]
}
