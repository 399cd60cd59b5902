import Transformer

extension SettingDeclaration {
  static let modelSettings: [SettingDeclaration] = [
    .text(
      "model", \.model, .path, absent: "the embedded arithmetic job", "Model",
      "folder of a Hugging Face model, or its name where the hub's cache has it",
      peers: [
        .trl("model_name_or_path"), .verl("model.path"), .nemo("policy.model_name"),
        .openRLHF("pretrain"),
      ]),
    .text(
      "reference_model", \.referenceModel, .path, absent: "the model as it was at the start",
      "Model", "folder of the reference model for the KL penalty; read where beta is above 0",
      peers: [.trl("ref_model"), .openRLHF("ref_model_name_or_path")]),
    .text(
      "system", \.system, absent: "none", "Model",
      "system message put before conversations that have none",
      peers: [.trl("system_prompt")]),
    .text(
      "chat_template", \.chatTemplate, .path, absent: "the model's own", "Model",
      "file with a chat template in Jinja",
      peers: [.trl("chat_template_path"), .verl("model.custom_chat_template")]),
    .object(
      "chat_template_kwargs", \.chatTemplateKwargs, absent: "none", "Model",
      "names for the chat template, {enable_thinking: false}; a row's column of this name wins",
      peers: [.verl("data.apply_chat_template_kwargs"), .verl("apply_chat_template_kwargs")],
      check: ChatResources.reservedNameFault),
    .boolean(
      "continue_final_message", \.continueFinalMessage, "Model",
      "whether an assistant's message at a prompt's end is continued, or closed and a new turn opened"
    ),
    .boolean(
      "use_peft", \.usePeft, "Model", "whether LoRA adapters are trained and the model is frozen"),
    .integer(
      "lora_r", \.loraR, 1...65_536, "Model", "rank of the adapters",
      peers: [.verl("model.lora_rank"), .openRLHF("lora_rank")]),
    .number(
      "lora_alpha", \.loraAlpha, AdapterConfiguration.alphas, "Model",
      "adapters are scaled by lora_alpha / lora_r"),
    .number(
      "lora_dropout", \.loraDropout, 0...1, "Model",
      "must be 0: with dropout the policy that acts is not the policy that learns"),
    .list(
      "lora_target_modules", \.loraTargetModules, separator: ",", "Model",
      "layers with adapters by the last part of their name, or all-linear",
      peers: [.verl("model.target_modules"), .openRLHF("target_modules")]),
    .boolean(
      "use_rslora", \.useRslora, "Model", "whether adapters are scaled by lora_alpha / √lora_r"),
  ]

  static let supervisedSettings: [SettingDeclaration] = [
    .list(
      "sft_dataset", \.sftDataset, absent: "no supervised stage", "Supervised stage",
      "SFT examples before GRPO: prompt + completion, messages or text; FILE or FILE=weight"),
    .integer(
      "sft_steps", \.sftSteps, 0...1_000_000_000, absent: "given by sft_epochs",
      "Supervised stage", unit: "updates", "optimiser updates of the supervised stage"),
    .number(
      "sft_stop_at", \.sftStopAt, 0...1, absent: "never", "Supervised stage",
      "share of a sample of training problems answered rightly at which the stage ends early"),
    .number(
      "sft_epochs", \.sftEpochs, 0...1_000_000, "Supervised stage", unit: "passes",
      "passes over sft_dataset where sft_steps isn't given"),
    .integer(
      "sft_batch_size", \.sftBatchSize, 1...1_000_000, "Supervised stage", unit: "rows",
      "rows per update"),
    .number(
      "sft_learning_rate", \.sftLearningRate, 0 ... .unbounded, "Supervised stage",
      "learning rate of the supervised stage at the top of its schedule"),
    .choice(
      "sft_lr_scheduler_type", \.sftLrSchedulerType, "Supervised stage",
      "how that rate moves over the updates"),
    .integer(
      "sft_warmup_steps", \.sftWarmupSteps, 0...1_000_000_000, "Supervised stage",
      unit: "updates", "updates over which that rate rises from 0"),
    .integer(
      "sft_max_length", \.sftMaxLength, 2...1_000_000_000, "Supervised stage", unit: "tokens",
      "longest example; a longer one is refused, left out or cut, as overlong_prompts says",
      peers: [.trl("max_length"), .trl("max_seq_length")]),
  ]
}
