import Foundation
import Rollouts
import Tensors
import Tokenizers
import Transformer

/// The job that runs where no model is named: a small, randomly initialised policy learns arithmetic.
///
/// A supervised cold start teaches the form and part of the sums; reinforcement against the checked answer does
/// the rest. Held-out problems are seen by neither stage.
public enum EmbeddedJob {
  /// The name by which the job's own data is asked for.
  public static let datasetName = "arithmetic"
  static let evaluationName = "arithmetic/eval"

  /// The job's settings, below options and config files, above the defaults.
  public static let settings: JSONObject = [
    "dataset": [.string(datasetName)],
    "eval_dataset": [.string(evaluationName)],
    "reward": [
      ["use": "exact_match", "name": "correct", "parameters": ["form": "[0-9]{3}"]]
    ],
    "sft_dataset": [.string(datasetName)],
    "sft_steps": 2000,
    "sft_stop_at": 0.4,
    "sft_batch_size": 64,
    "sft_learning_rate": 3e-3,
    "sft_lr_scheduler_type": "constant_with_warmup",
    "sft_warmup_steps": 20,
    "max_steps": 800,
    "prompts_per_step": 64,
    "num_generations": 16,
    "max_completion_length": 6,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 20,
    "eval_steps": 100,
    "save_steps": 100,
  ]

  /// The job's problems, where a data set is asked for by its name.
  static func dataset(_ names: [String], limit: Int? = nil) throws -> Dataset? {
    let rows: [ProceduralProblem]
    switch names {
    case [datasetName]: rows = try ArithmeticTask.embeddedDataset().train
    case [evaluationName]: rows = try ArithmeticTask.embeddedDataset().evaluation
    default: return nil
    }
    return Dataset(name: names[0], Array(rows.prefix(limit ?? .max)))
  }

  /// The job's SFT examples, where they are asked for by name.
  static func supervised(_ name: String) throws -> SupervisedDataset? {
    guard name == datasetName else { return nil }
    let problems = try ArithmeticTask.embeddedDataset().train
    return SupervisedDataset(
      name: name,
      rows: problems.map { .completion(prompt: .text($0.prompt), completion: $0.completion) },
      contentHash: SHA256.digest(of: ProceduralDataset.jsonLines(problems)).hexadecimal)
  }

  /// The characters of the data.
  static let alphabet = Array("0123456789+-*=() ")

  /// The shape of the job's model: a Llama of about 350,000 parameters over characters.
  static func model(
    vocabularySize: Int? = nil, endToken: TokenID? = nil, padToken: TokenID? = nil
  ) throws(ModelError) -> ModelConfiguration {
    try .llama(
      vocabularySize: vocabularySize ?? alphabet.count + CharacterTokenizer.specialTokens.count,
      hiddenSize: 96, intermediateSize: 256, layerCount: 3, headCount: 4, maximumPositions: 64,
      endTokenIDs: endToken.map { [$0] } ?? [], padTokenID: padToken)
  }

  /// Writes the job's model with weights drawn by a seed.
  static func writeModel(seed: UInt64, to folder: URL) throws {
    try FolderPublisher.publish(to: folder, replacing: true) { aside in
      try CharacterTokenizer.write(alphabet: alphabet, to: aside)
      let tokenizer = try Tokenizer(folder: aside)
      let configuration = try model(
        vocabularySize: tokenizer.vocabularySize, endToken: tokenizer.endTokenID,
        padToken: tokenizer.padTokenID)
      try ModelWriter.write(configuration, elementType: .float32, to: aside)
      let parameters = Parameters(initializing: configuration, seed: seed, deviation: 0.1)
      try parameters.write(to: aside.appendingPathComponent("model.safetensors"))
    }
  }
}
