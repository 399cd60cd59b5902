// Hugging Face's math-verify:
//
//   r = [ verify(parse(answer), parse(completion)) ]
import RewardKit

/// The reward that asks the math-verify of the user's Python (MathVerify/math_verify.py).
enum MathVerify {
  static let script = ShippedScript(
    about: BuiltInDescription(
      name: "math_verify",
      summary:
        "1 where Hugging Face's math-verify finds the row's answer (pip install math-verify)",
      category: .answer, columns: ["answer"],
      parameters: [
        RewardParameter(
          "float_rounding", .integer(0...100), default: 6, "decimals that are compared"),
        RewardParameter(
          "numeric_precision", .integer(1...1000), default: 15, "digits of numeric comparisons"),
        RewardParameter(
          "strict", .flag, default: true, "whether names count, and sets differ from tuples"),
        RewardParameter(
          "allow_set_relation_comp", .flag, default: false,
          "whether a gold set may be answered by a relation"),
      ],
      source: "huggingface/Math-Verify, as installed; its version is in the run's record"),
    python: String(decoding: PackageResources.math_verify_py, as: UTF8.self),
    isIsolated: false,
    goldCompletion: { problem in
      guard let answer = try? problem.answers().first else { return nil }
      return answer.contains("\\boxed") ? answer : "\\boxed{\(answer)}"
    },
    fault: { problem in
      do throws(Unscorable) {
        _ = try problem.answers()
        return nil
      } catch { return error.reason }
    })
}
