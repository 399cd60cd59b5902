import Foundation
import Rollouts
import Testing

@testable import Tensors
@testable import Transformer

@Suite("Writing safetensors")
struct SafetensorsRoundTripTests {
  static let tensors = [
    TensorSpecification("z.weight", [3, 5]), TensorSpecification("a.weight", [7]),
    TensorSpecification("ünïcode \"quoted\"", [1, 1, 2]), TensorSpecification("empty", [0, 4]),
    // Longer than one chunk of conversion.
    TensorSpecification("large", [521, 1009]),
  ]

  @Test("What was written is read, rounded to its type", arguments: ElementType.writable)
  func roundTrip(_ type: ElementType) throws {
    let folder = try TemporaryFolder()
    try writeWeights([Self.tensors], to: folder.url, elementType: type) { _ in 3 }
    let file = try SafetensorsFile(folder.url.appendingPathComponent("model.safetensors"))
    #expect(file.names == Self.tensors.map(\.name))
    #expect(file.metadata == ["format": "pt"])
    for tensor in Self.tensors {
      #expect(file.specification(of: tensor.name) == tensor)
      #expect(file.elementType(of: tensor.name) == type)
      let expected = testValues(tensor.count, seed: 3).map { value in
        switch type {
        case .float32, .float64: value
        case .bfloat16: HalfPrecision.float(bfloat16: HalfPrecision.bfloat16(value))
        case .float16: Float(Float16(value))
        }
      }
      #expect(try file.values(tensor.name) == expected, "\(tensor.name)")
    }
  }

  @Test("Mapped bytes are those of the file, aligned to 8")
  func mappedBytes() throws {
    let folder = try TemporaryFolder()
    try writeWeights([Self.tensors], to: folder.url, elementType: .bfloat16) { _ in 3 }
    let file = try SafetensorsFile(folder.url.appendingPathComponent("model.safetensors"))
    let bytes = try #require(file.bytes(of: "z.weight"))
    #expect(Int(bitPattern: bytes.baseAddress) % 8 == 0)
    let found = (0..<15).map { bytes.load(fromByteOffset: 2 * $0, as: UInt16.self) }
    #expect(found == testValues(15, seed: 3).map(HalfPrecision.bfloat16))
    #expect(file.bytes(of: "none") == nil)
  }

  @Test("Part of a tensor is read from where it begins")
  func partOfATensor() throws {
    let folder = try TemporaryFolder()
    try writeWeights([Self.tensors], to: folder.url) { _ in 3 }
    let file = try SafetensorsFile(folder.url.appendingPathComponent("model.safetensors"))
    #expect(try file.values("z.weight", 11..<15) == Array(testValues(15, seed: 3)[11...]))
    let error = try #require(throws: ModelError.self) {
      try file.values("z.weight", 12..<16)
    }
    #expect(error.description.contains("expected 16 values, found 15"))
  }

  @Test("The same values give the same bytes, in a layout that is kept")
  func deterministic() throws {
    let folders = try [TemporaryFolder(), TemporaryFolder()]
    for folder in folders {
      try writeWeights([[TensorSpecification("a", [2])]], to: folder.url) { _ in 0 }
    }
    let contents = try folders.map {
      try Data(contentsOf: $0.url.appendingPathComponent("model.safetensors"))
    }
    #expect(contents[0] == contents[1])
    let header =
      #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    let expected = safetensorsBytes(header: padded, data: 0)
    #expect(Array(contents[0].prefix(expected.count)) == expected)
    #expect(contents[0].count == expected.count + 8)
  }

  @Test("A writer that is given up leaves nothing and harms no older file")
  func givenUp() throws {
    let folder = try TemporaryFolder()
    let url = try folder.write("old", to: "model.safetensors")
    do {
      var writer = try SafetensorsWriter(url, tensors: Self.tensors)
      try writer.append(testValues(15))
      #expect(try folder.names() == ["model.safetensors", "model.safetensors.partial"])
    }
    #expect(try folder.names() == ["model.safetensors"])
    #expect(try String(contentsOf: url, encoding: .utf8) == "old")
  }
}

@Suite("Weights of a folder")
struct WeightFilesTests {
  private let configuration: ModelConfiguration

  init() throws {
    configuration = try ModelConfiguration.llama(
      vocabularySize: 20, hiddenSize: 8, intermediateSize: 12, layerCount: 2, headCount: 2,
      keyValueHeadCount: 1)
  }

  private var head: TensorSpecification { TensorSpecification("lm_head.weight", [20, 8]) }

  @Test("Three parts with an index read as one file does")
  func parts() throws {
    let folder = try TemporaryFolder()
    let whole = try TemporaryFolder()
    let layout = configuration.tensorLayout
    try writeWeights([layout], to: whole.url)
    try writeWeights(
      [Array(layout[..<5]), Array(layout[5..<12]), Array(layout[12...])], to: folder.url)
    let weights = try WeightFiles(folder: folder.url)
    try weights.check(against: configuration)
    let single = try WeightFiles(folder: whole.url)
    #expect(weights.names == single.names && weights.files.count == 3)
    for tensor in layout {
      let found = try weights.values(tensor.name)
      #expect(try found == single.values(tensor.name))
    }
  }

  @Test("Missing, unknown and wrongly shaped tensors are all named at once")
  func faults() throws {
    let folder = try TemporaryFolder()
    var layout = configuration.tensorLayout
    layout.removeAll { $0.name == "model.norm.weight" }
    layout[2].shape = [8, 9]
    layout.append(TensorSpecification("score.weight", [2]))
    layout.append(TensorSpecification("model.layers.0.self_attn.rotary_emb.inv_freq", [2]))
    try writeWeights([layout], to: folder.url)
    let weights = try WeightFiles(folder: folder.url)
    let error = try #require(throws: ModelError.self) { try weights.check(against: configuration) }
    #expect(
      error.faults == [
        .init("tensor '\(layout[2].name)'", "has shape [8, 9], expected [8, 8]"),
        .init("tensor 'model.norm.weight'", "is missing, expected shape [8]"),
        .init(
          "tensor 'score.weight'",
          "is unknown: a llama model with this config.json has none of the name"),
      ])
  }

  @Test("A tied head may be stored if it is the embedding")
  func tiedHead() throws {
    let folder = try TemporaryFolder()
    let layout = configuration.tensorLayout + [head]
    try writeWeights([layout], to: folder.url) { _ in 1 }
    try WeightFiles(folder: folder.url).check(against: configuration)
    try writeWeights([layout], to: folder.url)
    let error = try #require(throws: ModelError.self) {
      try WeightFiles(folder: folder.url).check(against: configuration)
    }
    #expect(error.description.contains("tie_word_embeddings is true"))
  }

  @Test("An untied head must be stored")
  func untiedHead() throws {
    let folder = try TemporaryFolder()
    try writeWeights([configuration.tensorLayout], to: folder.url)
    var json = configuration.original
    json["tie_word_embeddings"] = false
    let untied = try ModelConfiguration(json: json)
    let error = try #require(throws: ModelError.self) {
      try WeightFiles(folder: folder.url).check(against: untied)
    }
    #expect(error.faults.map(\.subject) == ["tensor 'lm_head.weight'"])
  }

  @Test(
    "An index that leads out of the folder, to nothing, or to the wrong file is refused",
    arguments: [
      (#"{"weight_map":{"a":"../model.safetensors"}}"#, "file in this folder"),
      (#"{"weight_map":{"a":"/etc/passwd"}}"#, "file in this folder"),
      (#"{"weight_map":{"a":".."}}"#, "file in this folder"),
      (#"{"weight_map":{"a":3}}"#, "file in this folder"),
      (#"{"weight_map":{"a":"gone.safetensors"}}"#, "not in the folder"),
      (#"{"weight_map":{"b":"part.safetensors"}}"#, "is not in part.safetensors"),
      (#"{"weight_map":{}}"#, "weight_map"),
      (#"{"weight_map":[]}"#, "weight_map"),
      ("[]", "JSON object"),
      ("{", "not valid JSON"),
    ])
  func index(_ index: String, _ phrase: String) throws {
    let folder = try TemporaryFolder()
    var writer = try SafetensorsWriter(
      folder.file("part.safetensors"), tensors: [TensorSpecification("a", [1])])
    try writer.append([1])
    try writer.finish()
    try folder.write(index, to: "model.safetensors.index.json")
    let error = try #require(throws: ModelError.self) { try WeightFiles(folder: folder.url) }
    #expect(error.description.contains(phrase), "\(error)")
    #expect(error.description.contains("model.safetensors.index.json"))
  }

  @Test(
    "A folder without weights that can be read says what to do",
    arguments: [
      ("pytorch_model.bin", "save_pretrained"), ("weights.safetensors", "rename"),
      ("README.md", "grpo init"),
    ])
  func noWeights(_ name: String, _ phrase: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("x", to: name)
    let error = try #require(throws: ModelError.self) { try WeightFiles(folder: folder.url) }
    #expect(error.description.contains(phrase), "\(error)")
  }

  @Test(
    "A folder without config.json says what it is instead",
    arguments: [
      ("final/config.json", "final"), ("adapter_config.json", "LoRA"), ("tiny/config.json", "tiny"),
      ("m.gguf", "GGUF"),
      ("README.md", "config.json"),
    ])
  func noConfiguration(_ name: String, _ phrase: String) throws {
    let folder = try TemporaryFolder()
    try folder.write("{}", to: name)
    let error = try #require(throws: ModelError.self) { try ModelConfiguration(folder: folder.url) }
    #expect(error.description.contains(phrase), "\(error)")
    #expect(error.kind == .missing)
  }
}
