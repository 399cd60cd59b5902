import Foundation
import Rollouts
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Log-probabilities and gradients of PyTorch's own models (golden/README.md in the shared folder:
/// transformers 5.23, torch 2.13; `golden.json` beside each model).
@Suite("Golden models")
struct GoldenModelTests {
  struct Golden: Decodable {
    var prompt_ids: [[TokenID]]
    var completion_ids: [[TokenID]]
    var groups: [Int]
    var advantages: [Double]
    var logprobs_float64: [[Double]]
    var entropies: [[Double]]
    var grad_norm: Double
    var per_tensor_grad_norm: [String: Double]
  }

  /// Every golden model whose family is supported: a new family is held against its numbers without a word here.
  static let names: [String] = {
    let folder = SharedFiles.url("golden/models")
    let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return all.sorted().filter { name in
      do throws(ModelError) {
        _ = try ModelConfiguration(folder: folder.appendingPathComponent(name))
        return true
      } catch {
        return error.kind != .unsupported
      }
    }
  }()

  @Test(
    "golden models of every supported family are there",
    .enabled(if: SharedFiles.has("golden/models")))
  func isComplete() {
    #expect(
      Set(Self.names).isSuperset(
        of: ["llama-gqa", "llama-tied", "llama3-rope", "qwen2", "qwen3", "mistral"]))
  }

  static func load(_ name: String) throws -> (LanguageModel, Golden, [TokenGroup]) {
    let folder = SharedFiles.url("golden/models/\(name)")
    let configuration = try ModelConfiguration(folder: folder)
    let parameters = try Parameters(folder: folder, configuration: configuration)
    let golden = try JSONDecoder().decode(
      Golden.self, from: Data(contentsOf: folder.appendingPathComponent("golden.json")))
    let groups = Dictionary(grouping: golden.groups.indices, by: { golden.groups[$0] })
    let inputs = groups.keys.sorted().map { key in
      let members = groups[key] ?? []
      return TokenGroup(
        prompt: golden.prompt_ids[members[0]],
        completions: members.map { golden.completion_ids[$0] })
    }
    return (LanguageModel(parameters, compute: Compute()), golden, inputs)
  }

  /// 1e-5 is the bound that the golden numbers name; float32 and float64 differ by about 1e-6 there.
  @Test(
    "golden log-probabilities and entropies", .enabled(if: SharedFiles.has("golden/models")),
    arguments: names)
  func logProbabilities(name: String) throws {
    let (model, golden, groups) = try Self.load(name)
    let scored = ScoringPass(model).score(groups).flatMap { $0 }
    for (index, statistics) in scored.enumerated() {
      for (token, want) in golden.logprobs_float64[index].enumerated() {
        #expect(abs(Double(statistics.logProbabilities[token]) - want) < 1e-5)
        #expect(abs(Double(statistics.entropies[token]) - golden.entropies[index][token]) < 2e-5)
      }
    }
  }

  /// Norms are sums of thousands of float32 products: relative 2e-4 a tensor.
  @Test(
    "golden gradients", .enabled(if: SharedFiles.has("golden/models")), arguments: names)
  func gradients(name: String) throws {
    let (model, golden, groups) = try Self.load(name)
    let pass = TrainingPass(model)
    let batch = PackedBatch(groups)
    _ = pass.forward(batch)
    let count = Double(golden.advantages.count)
    var gradient = [Float](repeating: 0, count: batch.targets.count)
    for (index, range) in batch.targetRanges.enumerated() {
      for target in range {
        gradient[target] = Float(-golden.advantages[index] / count / Double(range.count))
      }
    }
    pass.backward(dLogProbability: gradient)
    var total = 0.0
    var squares: [String: Double] = [:]
    for (index, tensor) in model.parameters.tensors.enumerated() {
      let squared = model.compute.squaredNorm(pass.gradients.parts[index])
      total += squared
      squares[Self.moduleName(tensor.name), default: 0] += squared
    }
    for (name, squared) in squares {
      // A buffer of PyTorch's is no parameter.
      guard !name.hasSuffix("e_score_correction_bias") else { continue }
      let want = try #require(golden.per_tensor_grad_norm[name])
      #expect(
        abs(squared.squareRoot() - want) <= 2e-4 * max(want, 1e-2),
        "\(name): \(squared.squareRoot()) against \(want)")
    }
    #expect(abs(total.squareRoot() - golden.grad_norm) < 2e-4 * golden.grad_norm)
  }

  /// The parameter of PyTorch's module that holds a tensor of the file: experts are stacked there, gates over ups.
  static func moduleName(_ name: String) -> String {
    let parts = name.replacing("block_sparse_moe", with: "mlp").split(separator: ".experts.")
    guard parts.count == 2, let map = parts[1].split(separator: ".").dropFirst().first else {
      return parts.joined(separator: ".experts.")
    }
    let isDown = ["down_proj", "w2"].contains(map)
    return "\(parts[0]).experts.\(isDown ? "down_proj" : "gate_up_proj")"
  }
}
