import Rollouts
import Tensors
import Transformer

extension RunConfiguration {
  /// How many steps the run has: as asked, or the epochs over the problems, at least one.
  func stepCount(problems: Int) -> Int {
    if let maxSteps { return maxSteps }
    return max(
      1, Int(clamping: (numTrainEpochs * Double(problems) / Double(promptsPerStep)).rounded(.up)))
  }

  /// How completions are drawn for training.
  func sampling(_ endTokens: [TokenID]) -> SamplingSettings {
    SamplingSettings(
      temperature: Float(temperature), topK: topK, topP: Float(topP), minP: Float(minP),
      minNewTokens: minNewTokens, maxNewTokens: maxCompletionLength, endTokens: endTokens)
  }

  /// How completions are drawn for evaluation: greedily where each problem has one.
  func evaluationSampling(_ endTokens: [TokenID], samples: Int) -> SamplingSettings {
    return SamplingSettings(
      temperature: Float(evalTemperature ?? (samples == 1 ? 0 : temperature)),
      topP: Float(evalTopP), minNewTokens: minNewTokens, maxNewTokens: maxCompletionLength,
      endTokens: endTokens)
  }
}

extension SaveFormat {
  /// The element type of safetensors files.
  var elementType: ElementType {
    switch self {
    case .float32: return .float32
    case .bfloat16: return .bfloat16
    case .float16: return .float16
    }
  }
}
