import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Tensors
@testable import Transformer

@Suite("Adapter folders")
struct AdapterFolderTests {
  /// Kept by the suite: a local one would be removed after its last use.
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A base and an adapter beside it.
  private func folders(
    _ small: SmallModel = .qwen2, adapter: AdapterConfiguration? = nil,
    elementType: ElementType = .float32
  ) throws -> (base: URL, adapter: URL, Parameters) {
    let base = try folder.file("base/x").deletingLastPathComponent()
    let adapterFolder = try folder.file("adapter/x").deletingLastPathComponent()
    let parameters = try small.adapted(
      adapter ?? AdapterConfiguration(rank: 3, alpha: 7), element: elementType)
    if elementType == .bfloat16 {
      // Vectors are held as float32: only values that the file can hold come back as they were.
      for tensor in parameters.tensors where tensor.shape.count == 1 {
        tensor.storage.fill(
          from: tensor.values.map {
            HalfPrecision.float(bfloat16: HalfPrecision.bfloat16($0))
          })
      }
    }
    try writeBase(of: parameters, elementType: elementType, to: base)
    try AdapterFolder.write(parameters, baseModel: base.path, to: adapterFolder)
    return (base, adapterFolder, parameters)
  }

  private func bits(_ parameters: Parameters) -> [UInt32] {
    AdapterTests.bits(LanguageModel(parameters, compute: Compute(threads: 1)))
  }

  @Test(
    "what was written is read again, bit for bit",
    arguments: [ElementType.float32, .bfloat16])
  func roundTrip(elementType: ElementType) throws {
    let (base, adapter, parameters) = try folders(elementType: elementType)
    let source = try ModelSource(adapter)
    #expect(source.base.path == base.path)
    #expect(source.adapter?.adapter.rank == 3)
    let read = try source.frozenParameters()
    #expect(bits(read) == bits(parameters))
    guard case .matrix(let matrix) = read.tensors[0].storage else {
      Issue.record("the embedding is a matrix")
      return
    }
    #expect(matrix.element == elementType)
  }

  @Test("a whole model is its own base, and is not merged")
  func wholeModel() throws {
    let (base, _, parameters) = try folders()
    let source = try ModelSource(base)
    #expect(source.adapter == nil)
    #expect(source.folder == source.base)
    #expect(bits(try source.frozenParameters()) == bits(parameters.widenedBase()))
    #expect(throws: ModelError.self) { try AdapterMerge(source) }
  }

  @Test("targets are written as short as they can be")
  func writtenTargets() throws {
    let model = try SmallModel.llama.make().configuration
    func targets(_ targets: [String]) -> [String] {
      AdapterConfiguration(rank: 1, alpha: 1, targets: targets).shortestTargets(for: model)
    }
    #expect(
      targets(["all-linear"]) == [
        "down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj",
      ])
    #expect(targets(["v_proj", "q_proj"]) == ["q_proj", "v_proj"])
    #expect(targets(["layers.1.mlp.up_proj"]) == ["model.layers.1.mlp.up_proj"])
  }

  @Test("a base beside the adapter is found by its relative name, a hub's name is kept")
  func baseNames() throws {
    let (base, adapter, _) = try folders()
    let configuration = adapter.appendingPathComponent("adapter_config.json")
    let text = try String(contentsOf: configuration, encoding: .utf8)
    try text.replacingOccurrences(of: base.path, with: "../base")
      .write(to: configuration, atomically: true, encoding: .utf8)
    let source = try ModelSource(adapter)
    #expect(source.base.standardizedFileURL.path == base.standardizedFileURL.path)
    #expect(source.baseName(named: nil) == base.standardizedFileURL.path)
    #expect(try ModelSource(base).baseName(named: "Somebody/Model") == "Somebody/Model")
    #expect(try ModelSource(base).baseName(named: base.path) == base.standardizedFileURL.path)

    try text.replacingOccurrences(of: base.path, with: folder.url.path + "/nowhere")
      .write(to: configuration, atomically: true, encoding: .utf8)
    let error = #expect(throws: ModelError.self) { try ModelSource(adapter) }
    #expect(error?.description.contains("the adapter's base model is not found") == true)
  }

  @Test(
    "what plain LoRA is not is refused by its name",
    arguments: [
      ("peft_type", "\"IA3\""), ("use_dora", "true"), ("bias", "\"lora_only\""),
      ("init_lora_weights", "\"pissa\""), ("init_lora_weights", "\"pissa_niter_4\""),
      ("init_lora_weights", "\"olora\""), ("init_lora_weights", "\"corda\""),
      ("init_lora_weights", "\"loftq\""), ("init_lora_weights", "\"lora_ga\""),
      ("modules_to_save", "[\"lm_head\"]"), ("rank_pattern", "{\"q_proj\": 4}"),
      ("r", "4"), ("r", "-1"), ("r", "1e99"), ("lora_alpha", "\"much\""), ("lora_alpha", "0"),
      ("base_model_name_or_path", "null"),
    ])
  func refused(key: String, value: String) throws {
    let (_, adapter, _) = try folders()
    let url = adapter.appendingPathComponent("adapter_config.json")
    var json = try #require(
      JSONValue.parse(bytes: Array(Data(contentsOf: url))).object)
    json[key] = try JSONValue.parse(bytes: Array(value.utf8))
    try Data(JSONValue.object(json).jsonText.utf8).write(to: url)
    let error = #expect(throws: ModelError.self) { try ModelSource(adapter) }
    #expect(error?.description.contains(key) == true, "\(error?.description ?? "")")
  }

  @Test(
    "initialisations that leave the base as it is are read",
    arguments: ["true", "false", "null", "\"gaussian\"", "\"orthogonal\"", "\"eva\""])
  func plainInitialization(value: String) throws {
    let (_, adapter, _) = try folders()
    let url = adapter.appendingPathComponent("adapter_config.json")
    var json = try #require(
      JSONValue.parse(bytes: Array(Data(contentsOf: url))).object)
    json["init_lora_weights"] = try JSONValue.parse(bytes: Array(value.utf8))
    try Data(JSONValue.object(json).jsonText.utf8).write(to: url)
    _ = try ModelSource(adapter)
  }

  @Test("tensors that the model lacks, or of another shape, are named")
  func wrongTensors() throws {
    let (_, adapter, _) = try folders()
    let other = try SmallModel("other width", "qwen2", ["hidden_size": 40]).make().parameters
    let base = try folder.file("other/x").deletingLastPathComponent()
    try writeBase(of: other, to: base)
    let url = adapter.appendingPathComponent("adapter_config.json")
    var json = try #require(
      JSONValue.parse(bytes: Array(Data(contentsOf: url))).object)
    json["base_model_name_or_path"] = .string(base.path)
    try Data(JSONValue.object(json).jsonText.utf8).write(to: url)
    let error = #expect(throws: ModelError.self) {
      try ModelSource(adapter).frozenParameters()
    }
    #expect(error?.description.contains("expected [3, 40]") == true)
  }

  static let python = ProcessInfo.processInfo.environment["GRPO_PYTHON"]

  /// PEFT itself loads the adapter on transformers' own model, and gives our log-probabilities (1e-4:
  /// both compute in float32, in another order); the merged folder is an ordinary model of the same.
  @Test(
    "PEFT loads what is written, with the same log-probabilities",
    .enabled(if: python != nil, "GRPO_PYTHON names no Python with torch, transformers and peft"),
    arguments: [
      (SmallModel.llama, AdapterConfiguration(rank: 3, alpha: 7)),
      (
        SmallModel.qwen3,
        AdapterConfiguration(
          rank: 2, alpha: 5, isRankStabilized: true, targets: ["layers.1.mlp.up_proj", "v_proj"])
      ),
    ])
  func loadedByPEFT(small: SmallModel, adapter: AdapterConfiguration) throws {
    let (base, written, parameters) = try folders(small, adapter: adapter)
    let merged = try folder.file("merged/x").deletingLastPathComponent()
    try writeMerged(try ModelSource(written), to: merged)
    let group = AdapterTests.groups[0]
    let script = """
      import json, sys, torch, transformers, peft
      base, adapter, merged, prompt, completion = sys.argv[1:4] + [json.loads(a) for a in sys.argv[4:6]]
      def score(model):
          logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1:-1].double()
          return torch.log_softmax(logits, -1)[range(len(completion)), completion].tolist()
      M = transformers.AutoModelForCausalLM
      with torch.no_grad():
          plain = M.from_pretrained(base, dtype=torch.float32)
          with_adapter = score(peft.PeftModel.from_pretrained(plain, adapter))
          print(json.dumps([with_adapter, score(M.from_pretrained(merged, dtype=torch.float32))]))
      """
    let output = try run(
      try #require(Self.python),
      [
        "-c", script, base.path, written.path, merged.path, "\(group.prompt)",
        "\(group.completions[0])",
      ])
    let found = try JSONDecoder().decode([[Double]].self, from: output)
    let model = LanguageModel(parameters, compute: Compute(threads: 1))
    let ours = ScoringPass(model).score([group])[0][0].logProbabilities
    for found in found {
      try #require(found.count == ours.count)
      for (theirs, ours) in zip(found, ours) { #expect(abs(theirs - Double(ours)) < 1e-4) }
    }
  }

  private func run(_ program: String, _ arguments: [String]) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return data
  }
}
