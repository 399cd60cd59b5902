extension Preset {
  /// What is known of the preset.
  public var description: Description {
    switch self {
    case .deepseekMath, .deepseekR1, .drGRPO, .dapo, .gspo, .cispo, .rloo, .reinforcePlusPlus:
      paperDescription
    case .trl, .verl, .openRLHF, .nemo, .nanochat: peerDescription
    }
  }

  /// Note on papers that write std(r) and no more.
  private static let silentDeviation =
    "the paper writes std(r): sample or population is not said, sample is taken; there is no epsilon"

  private var paperDescription: Description {
    switch self {
    case .deepseekMath:
      Description(
        title: "Group Relative Policy Optimization, DeepSeekMath",
        source: "arXiv 2402.03300, eq. 3 and 4, §4.1.2",
        words:
          "A completion's advantage is its reward, centred and scaled in its group; the clipped "
          + "ratio of each token, averaged over a completion and then over completions; k3 in the loss.",
        information: [
          ("learning_rate", "1e-6"), ("num_generations", "64"), ("max_completion_length", "1024"),
          ("completions per step", "1024"), ("num_iterations", "1"),
        ],
        notes: [
          Self.silentDeviation, "the clip distance is never stated: PPO's 0.2 is taken",
          "process supervision (§4.1.3) is supervision=process; iterative GRPO (Algorithm 1) is "
            + "sync_ref_model with ref_model_mixup_alpha=1",
        ])
    case .deepseekR1:
      Description(
        title: "GRPO as DeepSeek-R1 used it",
        source: "arXiv 2501.12948 v2, Nature s41586-025-09422-z, methods",
        words: "GRPO with a weak KL, a clip so wide that it hardly acts, and a reference that is "
          + "replaced by the policy every 400 updates.",
        information: [
          ("learning_rate", "3e-6"), ("num_generations", "16"),
          ("prompts_per_step", "32 to an update; rollouts of 8192 completions, 16 updates each"),
          ("max_completion_length", "32768, later 65536"), ("temperature", "1"),
        ],
        notes: [
          Self.silentDeviation,
          "epsilon 10 is that of the first RL stage of R1; the ratio's lower bound is then negative",
          "the paper writes the ratio of an output without its tokens: DeepSeekMath's token form is taken",
        ])
    case .drGRPO:
      Description(
        title: "Dr. GRPO: GRPO done right", source: "arXiv 2503.20783, §3.2",
        words: "No division by the standard deviation (a bias by difficulty) and none by a "
          + "completion's length (a bias by length): the sum of token losses over a constant.",
        information: [
          ("num_generations", "8"), ("max_completion_length", "3000"), ("learning_rate", "1e-6"),
        ],
        notes: [
          "the constant is the completions of the update times max_completion_length, as in TRL"
        ])
    case .dapo:
      Description(
        title: "DAPO: decoupled clip and dynamic sampling", source: "arXiv 2503.14476, eq. 8 to 12",
        words: "Clip-higher, one mean over all tokens, no KL, truncated completions left out.",
        information: [
          ("num_generations", "16"), ("prompts_per_step", "512, in 16 updates"),
          ("max_completion_length", "20480, punished softly over the last 4096"),
          ("learning_rate", "1e-6"),
        ],
        notes: [
          Self.silentDeviation,
          "eq. 8 divides by the tokens of a group; the authors' code and TRL by those of the batch, "
            + "and so does this preset (normalizer=group_token_mean gives eq. 8)",
          "dynamic sampling and the soft overlong punishment are settings of the rollout and of the reward",
        ])
    case .gspo:
      Description(
        title: "Group Sequence Policy Optimization",
        source: "arXiv 2507.18071 v2, eq. 5 to 7, §5.1",
        words:
          "One ratio per completion, the geometric mean of its tokens' ratios, clipped as a whole.",
        information: [
          ("updates_per_rollout", "4"), ("epsilon, epsilon_high", "3e-4, 4e-4 (§5.1)"),
        ],
        notes: [
          Self.silentDeviation,
          "GSPO-token (eq. 13 and 14) is importance_sampling_level=sequence_token",
          "with one update per rollout every ratio is 1 and nothing clips",
        ])
    case .cispo:
      Description(
        title: "CISPO, MiniMax-M1", source: "arXiv 2506.13585, eq. 4 and 5",
        words:
          "REINFORCE with the importance weight bounded from above and without gradient, so that "
          + "no token is ever dropped; one mean over the tokens of a group; no KL.",
        information: [
          ("epsilon_high", "not stated; 5 as in ScaleRL (arXiv 2510.13786) and TRL's docs")
        ],
        notes: [
          Self.silentDeviation,
          "the paper's upper bound is 1 + ε_high and its lower bound is set so low that it never acts: "
            + "here the cap is the number itself, as in TRL",
        ])
    case .rloo:
      Description(
        title: "REINFORCE leave-one-out",
        source: "arXiv 2402.14740, eq. 5 and §3; TRL's RLOOConfig",
        words:
          "Each reward, less the KL of its completion, against the mean of the others; the plain "
          + "policy gradient of the whole completion.",
        information: [
          ("num_generations", "2 and 4 in the paper"), ("learning_rate", "1e-6"),
          ("beta", "TRL's 0.05; the paper tunes it by task"),
        ],
        notes: [
          "TRL's trainer clips the ratio of whole completions; the paper shows that it needn't"
        ])
    default:
      Description(
        title: "REINFORCE++", source: "arXiv 2501.03262 v9, eq. 8 to 10; OpenRLHF's reinforce",
        words:
          "No group: the reward to go less the KL to go, whitened over all tokens of the step; "
          + "PPO's clip.",
        information: [
          ("num_generations", "1 or more"), ("learning_rate", "5e-7"), ("beta", "OpenRLHF's 0.01"),
        ],
        notes: [
          "its group-baseline form is advantage_baseline=group_mean",
          "OpenRLHF's floor of 1e-8 under the variance and its clamps of 10 on reward and KL are kept",
        ])
    }
  }

  private var peerDescription: Description {
    switch self {
    case .trl:
      Description(
        title: "TRL 1.16 GRPOTrainer", source: "trl 1.16.0, grpo_config.py, grpo_trainer.py",
        words:
          "Group mean and sample deviation + 1e-4, the token mean over the rollout (dapo), no KL; "
          + "where beta is set, k3 times the differentiable ratio.",
        information: [
          ("learning_rate", "1e-6, linear to 0"), ("num_generations", "8"),
          ("max_completion_length", "512"), ("per_device_train_batch_size", "8 completions"),
        ],
        notes: [
          "float32_constants rounds reward weights, Bessel's factor and SAPO's and VESPO's constants",
          "weight_decay leaves norms and biases alone, as transformers' trainer does, under any preset",
        ])
    case .verl:
      Description(
        title: "verl, adv_estimator=grpo",
        source: "verl b178a3c, trainer/ppo/core_algos.py, trainer/config/actor/actor.yaml",
        words:
          "Group mean and sample deviation + 1e-6, dual clip at 3, the mean over the tokens of a "
          + "mini-batch, no KL.",
        information: [
          ("rollout.n", "1: set it"), ("train_batch_size", "1024 prompts"),
          ("ppo_mini_batch_size", "256"), ("learning_rate", "1e-6"),
          ("kl_loss_coef, once use_kl_loss is set", "0.001, low_var_kl"),
        ],
        notes: [
          "a group of one has mean 0 and deviation 1 there, so that the bare reward trains; it is refused here",
          "sequence means leave out completions that are masked as a whole; here they count",
        ])
    case .openRLHF:
      Description(
        title: "OpenRLHF, advantage.estimator=group_norm",
        source: "OpenRLHF 3c3be62, trainer/ppo_utils/experience_maker.py, models/loss.py",
        words:
          "Group mean and sample deviation + 1e-9, k1 of 0.01 subtracted from the return, PPO's "
          + "clip, the mean over tokens.",
        information: [
          ("actor.adam.lr", "1e-6, cosine with warm-up 0.03"), ("algo.kl.init_coef", "0.01"),
          ("data.max_len", "2048"),
        ],
        notes: ["its `reward.clip_range` ±10 acts after the baseline: advantage_clip"])
    case .nemo:
      Description(
        title: "NeMo RL, grpo_math_1B",
        source: "NeMo RL 7ea279a, algorithms/advantage_estimator.py, loss/loss_functions.py",
        words:
          "The mean and the deviation of the other completions, divided only where that deviation "
          + "isn't 0; k3 of 0.01 with its score-function gradient; the mean over tokens.",
        information: [
          ("num_generations_per_prompt", "16"), ("num_prompts_per_step", "32"),
          ("max_total_sequence_length", "512"), ("learning_rate", "5e-6"),
        ],
        notes: ["deviations that are 0 up to rounding count as 0 here, which spares NeMo's spikes"])
    default:
      Description(
        title: "nanochat, scripts/chat_rl.py", source: "nanochat 92d63d4, scripts/chat_rl.py",
        words:
          "REINFORCE with a group-mean baseline: no deviation, no ratio, no clip, no KL; the mean "
          + "over the tokens of a prompt's completions, then over prompts.",
        information: [
          ("num_generations", "16"), ("prompts_per_step", "16"), ("max_completion_length", "256"),
          ("top_k", "50"),
        ],
        notes: [
          "it normalises in passes of 8 completions; here over the 16 of a prompt",
          "it samples with top-k 50 and differentiates the full softmax; here both use the kept set",
        ])
    }
  }
}
