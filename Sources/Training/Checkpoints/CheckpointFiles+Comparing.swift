import Foundation
import Tensors
import Transformer

extension CheckpointFiles {
  /// The first number of a checkpoint's weights, then of its optimiser's state, whose bits are not those at hand.
  ///
  /// Linear in the files, with memory for a tensor twice; `first` of the difference is the checkpoint's.
  static func firstDifference(
    of model: LanguageModel, optimizer: ParameterOptimizer, from folder: URL
  ) throws(ModelError) -> RunDifference? {
    let weights = try SafetensorsFile(
      folder.appendingPathComponent(model.parameters.trainedFile))
    for tensor in model.parameters.trained {
      let kept = try Self.values(tensor.storage.count) { (buffer) throws(ModelError) in
        try weights.read(tensor.name, into: buffer)
      }
      let difference = difference(kept, tensor.plainValues, tensor.name, tensor.shape)
      if let difference { return difference }
    }
    let state = try SafetensorsFile(folder.appendingPathComponent(optimizerFile))
    for entry in optimizer.state {
      let tensor = model.parameters.trained[entry.tensor]
      let kept = try Self.values(tensor.storage.count) { (buffer) throws(ModelError) in
        try state.read(entry.name, into: buffer)
      }
      let present = Self.plain(UnsafePointer(entry.values.pointer), as: tensor.storage)
      if let difference = difference(kept, present, entry.name, tensor.shape) { return difference }
    }
    return nil
  }

  private static func values(
    _ count: Int, _ read: (UnsafeMutableBufferPointer<Float>) throws(ModelError) -> Void
  ) throws(ModelError) -> [Float] {
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
    defer { buffer.deallocate() }
    try read(buffer)
    return Array(buffer)
  }

  /// Numbers that lie as a parameter's do, in row-major order.
  static func plain(_ stored: UnsafePointer<Float>, as storage: ParameterStorage) -> [Float] {
    [Float](unsafeUninitializedCapacity: storage.count) { buffer, count in
      if let start = buffer.baseAddress { storage.unpack(stored, into: start) }
      count = storage.count
    }
  }

  private static func difference(
    _ kept: [Float], _ present: [Float], _ name: String, _ shape: [Int]
  ) -> RunDifference? {
    for (offset, (first, second)) in zip(kept, present).enumerated()
    where first.bitPattern != second.bitPattern {
      return RunDifference(
        place: "\(name)\(RunComparison.subscripts(of: offset, shape))", first: "\(first)",
        second: "\(second)")
    }
    return nil
  }
}
