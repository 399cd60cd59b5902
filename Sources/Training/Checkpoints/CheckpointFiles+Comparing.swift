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
      let kept = try weights.values(tensor.name)
      let difference = difference(kept, tensor.values, tensor.name, tensor.shape)
      if let difference { return difference }
    }
    let state = try SafetensorsFile(folder.appendingPathComponent(optimizerFile))
    for entry in optimizer.state {
      let tensor = model.parameters.trained[entry.tensor]
      let kept = try state.values(entry.name)
      let present = tensor.storage.values(in: entry.values)
      if let difference = difference(kept, present, entry.name, tensor.shape) { return difference }
    }
    return nil
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
