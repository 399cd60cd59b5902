import CKernels
import Foundation

/// The instruction sets that the kernels are compiled for; all give the same bits.
public enum InstructionSet: String, CaseIterable, Sendable {
  case scalar, avx2, avx512, avx512bf16

  /// Whether this program has the table and this processor can run it.
  public var isSupported: Bool { table != nil }

  /// The widest set that runs here.
  public static var best: InstructionSet {
    allCases.last(where: \.isSupported) ?? .scalar
  }

  /// The set that the environment variable `GRPO_INSTRUCTION_SET` asks for, where it names one that
  /// runs here; otherwise the best.
  public static var preferred: InstructionSet {
    let wanted = ProcessInfo.processInfo.environment["GRPO_INSTRUCTION_SET"]
    guard let wanted, let named = InstructionSet(rawValue: wanted), named.isSupported else {
      return best
    }
    return named
  }

  /// The table of kernels, where it runs here.
  var table: UnsafePointer<KernelTable>? {
    switch self {
    case .scalar: return kernels_scalar()
    case .avx2: return kernels_avx2()
    case .avx512: return kernels_avx512()
    case .avx512bf16: return kernels_avx512bf16()
    }
  }
}
