import Foundation
import Rollouts
import Tokenizers
import Transformer

/// The job that runs where no model is named: a small policy made from nothing learns arithmetic.
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
      ["use": "exact_match", "name": "correct", "parameters": ["form": "^-?[0-9]+$"]]
    ],
    "sft_dataset": [.string(datasetName)],
    "sft_steps": 150,
    "sft_batch_size": 64,
    "sft_learning_rate": 3e-3,
    "sft_lr_scheduler_type": "cosine",
    "sft_warmup_steps": 20,
    "max_steps": 300,
    "prompts_per_step": 32,
    "num_generations": 16,
    "max_completion_length": 8,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 5,
    "eval_steps": 50,
    "save_steps": 100,
  ]

  /// The job's problems, where a data set is asked for by its name.
  static func dataset(_ names: [String]) throws -> Dataset? {
    nil
  }

  /// The job's rows to imitate, where they are asked for by name.
  static func supervised(_ name: String) throws -> SupervisedDataset? {
    nil
  }

  /// Makes the job's model: a Llama of about 200,000 parameters over the characters of the data.
  static func writeModel(seed: UInt64, to folder: URL) throws {
    let alphabet = Array("0123456789+-*=() \n")
    try FolderPublisher.publish(to: folder, replacing: true) { aside in
      try CharacterTokenizer.write(alphabet: alphabet, to: aside)
      let tokenizer = try Tokenizer(folder: aside)
      let configuration = try ModelConfiguration.llama(
        vocabularySize: tokenizer.vocabularySize, hiddenSize: 96, intermediateSize: 256,
        layerCount: 3, headCount: 4, maximumPositions: 64,
        endTokenIDs: tokenizer.endTokenID.map { [$0] } ?? [], padTokenID: tokenizer.padTokenID)
      try ModelWriter.write(configuration, elementType: .float32, to: aside)
      let parameters = Parameters(initializing: configuration, seed: seed)
      try parameters.write(to: aside.appendingPathComponent("model.safetensors"))
    }
  }
}
