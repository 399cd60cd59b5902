import Rollouts
import Tensors
import Transformer

/// The least time that a phase can take on a machine whose ceilings are known.
///
///     prefill      max(flops / peak, weights / bandwidth) for each 512 rows
///     decoding     max(flops / peak, (weights + keys and values) / bandwidth) for each token of all sequences
///     update       3 · flops of a forward pass / peak + 32 bytes per parameter / bandwidth of memory
///
/// Weights count as their products read them, the embedding aside; bandwidth is that of the cache which holds them.
struct BenchmarkBounds {
  var workload: BenchmarkWorkload
  var model: ModelConfiguration
  var precision: Precision
  var keyValueElement: ElementType
  var threads: Int
  var ceilings: Ceilings

  /// Seconds.
  func seconds(_ phase: Benchmark.Phase) -> Double {
    switch phase {
    case .prefill: prefill
    case .sampling: prefill + decoding
    case .update: update
    }
  }

  private var peak: Double { ceilings.flops(precision) }
  private var headFlops: Double {
    Double(model.flops(context: 1)) - Double(model.flops(context: 1, meetsVocabulary: false))
  }
  private func flops(context: Int) -> Double {
    Double(model.flops(context: context, meetsVocabulary: false))
  }

  private var weightBytes: Int { model.productCount *| (precision == .float32 ? 4 : 2) }

  private func reading(_ bytes: Int) -> Double {
    Double(bytes) / ceilings.bandwidth(ofBytes: bytes, threads: threads)
  }

  private var prefill: Double {
    let rows = Double(workload.prompts * workload.promptLength)
    let work =
      rows * flops(context: workload.promptLength / 2) + headFlops * Double(workload.prompts)
    let passes = (rows / Double(GenerationEngine.prefillRows)).rounded(.up)
    return max(work / peak, passes * reading(weightBytes))
  }

  private var decoding: Double {
    let sequences = workload.prompts *| workload.group
    var seconds = 0.0
    // Sequences beyond those that are decoded together wait for a place.
    for first in stride(from: 0, to: sequences, by: 128) {
      let together = min(128, sequences - first)
      for token in 1..<max(workload.completionLength, 1) {
        let context = workload.promptLength +| token
        let work = Double(together) * (flops(context: context) + headFlops)
        let cached = together *| context *| model.cacheBytesPerToken(keyValueElement)
        seconds += max(work / peak, reading(weightBytes +| cached))
      }
    }
    return seconds
  }

  private var update: Double {
    let targets = Double(workload.prompts * workload.group * workload.completionLength)
    let rows =
      workload.prompts
      * (workload.promptLength + workload.group * max(0, workload.completionLength - 1))
    let context = workload.promptLength + workload.completionLength / 2
    let work = 3 * (Double(rows) * flops(context: context) + targets * headFlops)
    return work / peak + reading(32 *| model.parameterCount)
  }
}

extension Benchmark {
  /// The least seconds that a repeat of a phase can take where the ceilings were measured.
  public func bound(of phase: Phase, on compute: Compute, _ ceilings: Ceilings) -> Double {
    BenchmarkBounds(
      workload: workload, model: configuration, precision: compute.precision,
      keyValueElement: compute.keyValueElement, threads: compute.threads, ceilings: ceilings
    ).seconds(phase)
  }
}
