// Unit tests for model-written Python:
//
//   r = [ every test passes ]       (`partial`: the share that passes)
import RewardKit

/// The reward that runs a completion's code against its row's tests (CodeTests/code_tests.py).
enum CodeTests {
  static let script = ShippedScript(
    about: BuiltInDescription(
      name: "code_tests", summary: "1 where the completion's Python passes its row's tests",
      category: .program,
      parameters: [
        RewardParameter("partial", .flag, default: false, "whether the share that passes counts"),
        RewardParameter(
          "test_time_limit", .number(0.1...3600), default: 3.0, "seconds for all tests of a row"),
        RewardParameter(
          "test_memory", .integer(16...1_048_576), default: 512, "MiB for the code under test"),
      ],
      source: "MBPP (Austin et al. 2021) and HumanEval (Chen et al. 2021), rows as they are"),
    python: String(decoding: PackageResources.code_tests_py, as: UTF8.self),
    isIsolated: true,
    goldCompletion: { problem in
      problem.columns["code"]?.string ?? problem.columns["canonical_solution"]?.string
    })
}
