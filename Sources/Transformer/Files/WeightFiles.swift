import Foundation
import Rollouts
import Tensors

/// The weights of a model's folder: model.safetensors, or the parts that
/// model.safetensors.index.json lists.
public struct WeightFiles: Sendable {
  /// The model's folder.
  public let folder: URL
  /// The files, in the order of their names.
  public let files: [SafetensorsFile]
  /// Where each tensor lies.
  let places: [String: Place]

  /// A tensor in a file, where it may have a shorter name.
  struct Place: Sendable {
    let file: SafetensorsFile
    let name: String

    /// How it is stored; nil for a type that can't be read.
    var elementType: ElementType? { file.elementType(of: name) }
  }

  /// Opens every file of weights and checks the headers; no tensor is read.
  /// - Parameter configuration: The model that they are of, whose names a file of the bare model may shorten.
  /// - Throws: `ModelError` where a file is missing or broken, or the index disagrees with it.
  public init(
    folder: URL, for configuration: ModelConfiguration? = nil
  ) throws(ModelError) {
    self.folder = folder
    let fileOfTensor: [String: SafetensorsFile]
    let index = folder.appendingPathComponent("model.safetensors.index.json")
    let single = folder.appendingPathComponent("model.safetensors")
    if WholeFile.exists(single) {
      let file = try SafetensorsFile(single)
      files = [file]
      fileOfTensor = Dictionary(uniqueKeysWithValues: file.names.map { ($0, file) })
    } else if WholeFile.exists(index) {
      (files, fileOfTensor) = try Self.parts(listedIn: index, folder: folder)
    } else {
      throw ModelFolder.missingWeights(folder)
    }
    let prefix = Self.prefixLeftOut(of: fileOfTensor, configuration)
    places = Dictionary(
      uniqueKeysWithValues: fileOfTensor.map {
        ($0.hasPrefix("lm_head.") ? $0 : prefix + $0, Place(file: $1, name: $0))
      })
  }

  /// What the model's names begin with and no name in the files does.
  private static func prefixLeftOut(
    of files: [String: SafetensorsFile], _ configuration: ModelConfiguration?
  ) -> String {
    guard let prefix = configuration?.design.basePrefix,
      !files.keys.contains(where: { $0.hasPrefix(prefix) })
    else { return "" }
    return prefix
  }

  /// The names of all tensors, sorted.
  public var names: [String] { places.keys.sorted() }

  /// The shape of a tensor, nil where there is none of the name.
  public func specification(of name: String) -> TensorSpecification? {
    places[name].flatMap { place in
      place.file.specification(of: place.name).map { TensorSpecification(name, $0.shape) }
    }
  }

  /// How most of the weights are stored, by bytes.
  public var elementType: ElementType {
    var byteCounts: [ElementType: Int] = [:]
    for place in places.values {
      guard let type = place.elementType else { continue }
      byteCounts[type, default: 0] += place.file.bytes(of: place.name)?.count ?? 0
    }
    return ElementType.allCases.max { byteCounts[$0, default: 0] < byteCounts[$1, default: 0] }
      ?? .float32
  }

  /// A tensor's values, widened to float32.
  /// - Parameters:
  ///   - name: the tensor.
  ///   - range: the elements, in row-major order; nil for all of them.
  /// - Throws: `ModelError` where it is missing, of a type that can't be read, or shorter.
  public func values(
    _ name: String, _ range: Range<Int>? = nil
  ) throws(ModelError) -> [Float] {
    guard let place = places[name] else {
      throw ModelError(
        .invalid, path: folder.path, subject: "tensor \(quoted(name))", "is missing")
    }
    return try place.file.values(place.name, range)
  }

  private static func parts(
    listedIn index: URL, folder: URL
  ) throws(ModelError) -> ([SafetensorsFile], [String: SafetensorsFile]) {
    let object = try WholeFile.jsonObject(index)
    guard let map = object["weight_map"]?.object, !map.isEmpty else {
      throw ModelError(
        .invalid, path: index.path, subject: "weight_map",
        "expected an object from each tensor's name to its file")
    }
    var faults: [ModelError.Fault] = []
    var namesOfFile: [String: [String]] = [:]
    for (tensor, value) in map {
      if let file = value.string, isPlainFileName(file) {
        namesOfFile[file, default: []].append(tensor)
      } else {
        faults.append(
          ModelError.Fault(
            "tensor \(quoted(tensor))",
            "expected the name of a file in this folder, found "
              + ConfigurationReader.shown(value)))
      }
    }
    let missing = namesOfFile.keys.sorted().filter {
      !WholeFile.exists(folder.appendingPathComponent($0))
    }
    faults += missing.map { ModelError.Fault($0, "is listed but not in the folder") }
    if !faults.isEmpty {
      throw ModelError(
        .missing, path: index.path, faults: faults,
        remedy: "download the folder again; every part that the index lists is needed")
    }
    return try open(namesOfFile, index: index, folder: folder)
  }

  private static func open(
    _ namesOfFile: [String: [String]], index: URL, folder: URL
  ) throws(ModelError) -> ([SafetensorsFile], [String: SafetensorsFile]) {
    var files: [SafetensorsFile] = []
    var fileOfTensor: [String: SafetensorsFile] = [:]
    var faults: [ModelError.Fault] = []
    for (fileName, tensors) in namesOfFile.sorted(by: { $0.key < $1.key }) {
      let file = try SafetensorsFile(folder.appendingPathComponent(fileName))
      files.append(file)
      for tensor in tensors {
        fileOfTensor[tensor] = file
        if file.specification(of: tensor) == nil {
          faults.append(
            ModelError.Fault("tensor \(quoted(tensor))", "is not in \(fileName), as listed"))
        }
      }
    }
    if !faults.isEmpty {
      throw ModelError(
        .invalid, path: index.path, faults: faults,
        remedy: "download the index and its parts again: they are not of one model")
    }
    // What a part holds beyond the index is judged as unknown, like everything else.
    for file in files {
      for name in file.names where fileOfTensor[name] == nil { fileOfTensor[name] = file }
    }
    return (files, fileOfTensor)
  }

  private static func isPlainFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.contains("/")
      && !name.unicodeScalars.contains("\0")
  }
}
