import Foundation

/// What a folder that is not a complete model looks like, and what its owner should do.
enum ModelFolder {
  /// The error for a folder without config.json.
  static func missingConfiguration(_ folder: URL) -> ModelError {
    let path = folder.path
    func has(_ name: String) -> Bool { WholeFile.exists(folder.appendingPathComponent(name)) }
    if has("final/config.json") {
      return ModelError(
        .missing, path: path, "is a run's folder, not a model's",
        remedy: "name its trained model, \(folder.appendingPathComponent("final").path)")
    }
    if has("adapter_config.json") {
      return ModelError(
        .missing, path: path, "holds a LoRA adapter, not a model: there is no config.json",
        remedy: "name the folder of the base model, or merge the two: "
          + "grpo export --merge \(path) FOLDER")
    }
    if let name = firstFile(in: folder, suffix: ".gguf") {
      return ModelError(
        .missing, path: path, "holds \(quoted(name)), and GGUF is not read",
        remedy: "use the Hugging Face folder that it was converted from")
    }
    if let model = models(in: folder).first {
      return ModelError(
        .missing, path: path, "holds models, but is none: there is no config.json",
        remedy: "name one of them, perhaps \(folder.appendingPathComponent(model).path)")
    }
    return ModelError(
      .missing, path: path, "there is no config.json",
      remedy: "name a folder with config.json, model.safetensors and tokenizer.json")
  }

  /// The error for a folder without weights that can be read.
  static func missingWeights(_ folder: URL) -> ModelError {
    let path = folder.path
    if let name = firstFile(in: folder, suffix: ".bin") ?? firstFile(in: folder, suffix: ".pth") {
      return ModelError(
        .missing, path: path,
        "has its weights in \(quoted(name)), PyTorch's pickle, which is not read",
        remedy: "convert it once: python -c \"from transformers import AutoModelForCausalLM as M; "
          + "M.from_pretrained('\(path)').save_pretrained('\(path)', safe_serialization=True)\"")
    }
    if let name = firstFile(in: folder, suffix: ".safetensors") {
      return ModelError(
        .missing, path: path,
        "has \(quoted(name)), but neither model.safetensors nor model.safetensors.index.json",
        remedy: "rename a single file to model.safetensors, or download the index of the parts")
    }
    return ModelError(
      .missing, path: path,
      "there is neither model.safetensors nor model.safetensors.index.json",
      remedy: "download the weights, or make a model with random ones by `grpo init`")
  }

  /// The names of the models' folders in a folder, sorted.
  static func models(in folder: URL) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().filter {
      WholeFile.exists(folder.appendingPathComponent("\($0)/config.json"))
    }
  }

  private static func firstFile(in folder: URL, suffix: String) -> String? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(suffix) && $0 != "training_args.bin" }.min()
  }
}
