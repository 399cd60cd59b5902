// Unit tests for model-written Python:
//
//   r = [ every test passes ]       (`partial`: the share that passes)
import RewardKit

/// The reward that holds a completion's code to its row's tests, which run in another process than the code.
///
/// The files of the program are read as one, in this order:
/// - interpreter_modules.py: where modules may come from.
/// - tagged_values.py: what a judge and a candidate exchange.
/// - confinement.py: what keeps a candidate from the others.
/// - code_tests.py: rows, candidate, judge and worker.
enum CodeTests {
  static let script = ShippedScript(
    about: BuiltInDescription(
      name: "code_tests", summary: "1 where the completion's Python passes its row's tests",
      category: .program,
      parameters: [
        RewardParameter("partial", .flag, default: false, "whether the share that passes counts"),
        RewardParameter(
          "same_process", .flag, default: false,
          "whether rows whose tests need the solution's own objects are judged in its process, where a score can be forged"
        ),
        RewardParameter(
          "test_time_limit", .number(0.1...3600), default: 3.0, "seconds for all tests of a row"),
        RewardParameter(
          "test_memory", .integer(16...1_048_576), default: 512, "MiB for the code under test"),
      ],
      source: "MBPP (Austin et al. 2021) and HumanEval (Chen et al. 2021), rows as they are"),
    python: [
      PackageResources.interpreter_modules_py, PackageResources.tagged_values_py,
      PackageResources.confinement_py, PackageResources.code_tests_py,
    ].map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n"),
    isIsolated: true,
    goldCompletion: { problem in
      problem.columns["code"]?.string ?? problem.columns["canonical_solution"]?.string
    })
}
