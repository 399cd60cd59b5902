import Foundation
import Rollouts
import Tensors

@testable import Transformer

/// The bytes of a safetensors file with any header and any data.
func safetensorsBytes(header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
  let text = Array(header.utf8)
  let count = length ?? UInt64(text.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + text
    + Array(repeating: 0, count: data)
}

/// Values that differ from one another: a counter scaled so that halves can't hold them all.
func testValues(_ count: Int, seed: Int = 0) -> [Float] {
  (0..<count).map { Float(($0 &* 7919 &+ seed &* 104_729) % 20_011 - 10_005) / 997 }
}

/// Writes a model's weights, one file a part, with an index where there are several.
func writeWeights(
  _ parts: [[TensorSpecification]], to folder: URL, elementType: ElementType = .float32,
  seedOf: (String) -> Int = { $0.utf8.reduce(0) { $0 &* 31 &+ Int($1) } & 0xFFFF }
) throws {
  var map = JSONObject()
  for (number, tensors) in parts.enumerated() {
    let name =
      parts.count == 1
      ? "model.safetensors" : "model-\(number + 1)-of-\(parts.count).safetensors"
    var writer = try SafetensorsWriter(
      folder.appendingPathComponent(name), tensors: tensors, elementType: elementType)
    for tensor in tensors {
      try writer.append(testValues(tensor.count, seed: seedOf(tensor.name)))
      map[tensor.name] = .string(name)
    }
    try writer.finish()
  }
  if parts.count > 1 {
    try AtomicFile.write(
      JSONValue.object(["metadata": [:], "weight_map": .object(map)]).jsonText,
      to: folder.appendingPathComponent("model.safetensors.index.json"))
  }
}
