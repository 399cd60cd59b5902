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

  /// Bytes that the run may take: as asked, or four fifths of the machine's memory.
  var memoryBudget: Int { memoryLimit ?? (MachineMemory.total ?? 8 << 30) / 5 * 4 }

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

extension RunConfiguration {
  /// Where the arithmetic is done, and how operands are rounded.
  public func compute() -> Compute {
    Compute(threads: threads, precision: precision, keyValueElement: keyValueElement)
  }

  /// How keys and values are held.
  public var keyValueElement: ElementType {
    switch kvCacheType {
    case .auto: precision.element
    case .float32: .float32
    case .bf16: .bfloat16
    case .fp16: .float16
    }
  }

  /// What the loss is multiplied by in fp16; nil in the other precisions.
  var initialLossScale: LossScale? {
    precision == .fp16
      ? LossScale(
        initial: lossScale, growthInterval: lossScaleGrowthInterval, factor: lossScaleFactor) : nil
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
