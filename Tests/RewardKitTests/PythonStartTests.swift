import Foundation
import Testing

@testable import RewardKit

/// What keeps a function from being called is said once, in full, before a run begins.
@Suite("Python functions: starts that fail, files and modules") struct PythonStartTests {
  /// A function's definition, its words, the parameters, the columns, and what must be said.
  static let faults: [(String, String, JSONObject, [String]?, [String])] = [
    (
      "def f(completions, solution, level, grade): pass", "f", [:], ["answer", "level"],
      [
        "f.py:f needs the columns 'solution', 'grade', which the data lacks (it has answer, level)",
        #"columns: {solution: "…", grade: "…"}"#,
      ]
    ),
    (
      "def f(completions, solution): pass", "f", ["strictness": 1], [],
      [
        "has no parameter 'strictness'", "it has completions, solution",
        "needs the column 'solution', which the data lacks (it has none)",
      ]
    ),
    ("def f(completions, /, **kw): pass", "f", [:], nil, ["takes 'completions' by place alone"]),
    (
      "def compute_score(data_source, solution_str, ground_truth): pass", "", [:], ["answer"],
      [
        "compute_score needs the column 'ground_truth' or 'reward_model.ground_truth'",
        "(it has answer)",
        #"columns: {ground_truth: "…"}"#,
      ]
    ),
    (
      "def f(data_sources, solution_strs, ground_truths, extra_infos): pass", "f", [:], ["answer"],
      ["needs the column 'ground_truth' or 'reward_model.ground_truth'"]
    ),
    (
      "def f(solution_str, ground_truth, tokenizer): pass", "f", [:], ["ground_truth"],
      ["needs 'tokenizer', which such a function is not handed (it is handed data_source, "]
    ),
    (
      "def f(completion, answer, parser): pass", "f", [:], ["question"],
      ["needs the columns 'answer', 'parser'", "it has question"]
    ),
    (
      "def accuracy(completions): pass\ndef helper(text): pass\ndef brevity(completions): pass", "",
      [:], nil,
      [
        "f.py has 2 reward functions (accuracy, brevity): say which is the reward with f.py:FUNCTION"
      ]
    ),
    ("def _hidden(completions): pass", "", [:], nil, ["has 0 functions: say which"]),
    ("def f(completions): pass", "g", [:], nil, ["has no function 'g'; it has: f"]),
    ("x = 3", "x", [:], nil, ["f.py:x is 3, which is not a function"]),
    (
      "def make(scale): pass", "make", [:], nil,
      ["make(scale)", "missing a required argument: 'scale'"]
    ),
    ("def make(scale): pass", "make(scale=2)", [:], nil, ["made None, which is not a function"]),
    ("def make(scale): return print", "make(2)", [:], nil, ["is not a reward function"]),
    ("def make(scale): pass", "make(open('x'))", [:], nil, ["a call with literal values"]),
    ("import absent_module_of_nobody", "f", [:], nil, ["ModuleNotFoundError: No module named"]),
    ("def f(completions:\n  pass", "f", [:], nil, ["SyntaxError"]),
  ]

  @Test("is a sentence that names the function and what lacks", arguments: faults)
  func fault(
    source: String, words: String, parameters: JSONObject, columns: [String]?, said: [String]
  ) throws {
    let folder = try PluginFolder()
    let path = try folder.file("f.py", source + "\n")
    let session = try AdapterSession(path, words, columns: columns, parameters: parameters, [])
    #expect(session.greeting == nil && session.code == 1)
    for text in said { #expect(session.errors.contains(text), "\(session.errors)") }
  }

  @Test("no column is missed where no data set is known")
  func unknownColumns() throws {
    let folder = try PluginFolder()
    let path = try folder.file("f.py", "def f(completions, solution): return solution\n")
    let line = AdapterSession.line([("a", ["solution": 2])])
    #expect(try AdapterSession(path, "f", columns: nil, [line]).outcomes == ["2"])
    let without = try AdapterSession(path, "f", columns: nil, [AdapterSession.line([("a", [:])])])
    #expect(without.outcomes[0].contains("missing 1 required positional argument: 'solution'"))
  }

  /// Files by path, which of them is asked for, and its function.
  static let layouts: [([String: String], String, String)] = [
    (
      [
        "pack/__init__.py": "", "pack/inner/__init__.py": "",
        "pack/inner/r.py": "from ..base import f\n",
      ],
      "pack/inner/r.py", "f"
    ),
    (["bare/r.py": "from .base import f\n", "bare/base.py": "@"], "bare/r.py", "f"),
    (["v1.2/r.py": "from .base import f\n", "v1.2/base.py": "@"], "v1.2/r.py", "f"),
    (
      [
        "v1.2/__init__.py": "scale = 1\n",
        "v1.2/r.py": "from . import scale\nfrom .base import f\n",
        "v1.2/base.py": "@",
      ], "v1.2/r.py", "f"
    ),
    (
      [
        "code/r.py":
          "import code\nfrom .base import f\nassert hasattr(code, 'InteractiveConsole')\n",
        "code/base.py": "@",
      ], "code/r.py", "f"
    ),
    (
      [
        "pack/__init__.py": "", "pack/r.py": "from pack.base import f\nimport sibling\n",
        "pack/sibling.py": "",
      ], "pack/r.py", "f"
    ),
    (["random.py": "@import random\nassert random.__name__ == 'random'\n"], "random.py", "f"),
    (["my-rewards.py": "@"], "my-rewards.py", ""),
  ]

  @Test("a file is loaded as what it is: alone, or in its packages", arguments: layouts)
  func layout(files: [String: String], target: String, function: String) throws {
    let folder = try PluginFolder()
    let body = "def f(completions, **kw): return [len(c) for c in completions]\n"
    for (path, text) in files.merging(
      ["pack/base.py": body], uniquingKeysWith: { given, _ in given })
    {
      try FileManager.default.createDirectory(
        at: folder.url.appendingPathComponent(path).deletingLastPathComponent(),
        withIntermediateDirectories: true)
      _ = try folder.file(path, text.replacing("@", with: body))
    }
    let path = folder.url.appendingPathComponent(target).path
    let session = try AdapterSession(path, function, [AdapterSession.three])
    #expect(session.outcomes == ["1", "2", "3"], "\(session.errors)")
    let left = try FileManager.default.subpathsOfDirectory(atPath: folder.url.path)
    #expect(!left.contains { $0.contains("__pycache__") })
  }

  @Test("a module is found by its dotted name, the working folder included")
  func modules() throws {
    let folder = try PluginFolder()
    _ = try folder.file(
      "mine.py",
      """
      class Judge:
          def score(self, completions, **kw): return [len(c) for c in completions]
      judge = Judge()
      import importlib
      def lacks(completions): importlib.import_module("mine.absent")
      """)
    _ = try folder.file("broken.py", "import absent_module_of_nobody\n")
    func session(_ target: String, _ function: String) throws -> AdapterSession {
      try AdapterSession(target, function, [AdapterSession.three], in: folder.url)
    }
    #expect(try session("mine", "judge.score").outcomes == ["1", "2", "3"])
    #expect(try session("mine.judge", "score").outcomes == ["1", "2", "3"])
    #expect(try session("absent.rewards", "f").errors.contains("finds no module 'absent'"))
    #expect(try session("mine.absent", "f").errors.contains("module mine has no 'absent'"))
    #expect(try session("broken", "f").errors.contains("No module named 'absent_module_of_nobody'"))
  }

  /// Words of a setting, and what they name.
  static let words: [(String, String?, String?, String?)] = [
    ("rewards.py:f", "rewards.py", "f", "f"),
    (
      "a b/rewards.py:make(sep=':', path='x/y.py:z')", "a b/rewards.py",
      "make(sep=':', path='x/y.py:z')", "make"
    ),
    ("rewards.py:Judge.score", "rewards.py", "Judge.score", "score"),
    ("trl.rewards.accuracy_reward", "trl.rewards", "accuracy_reward", "accuracy_reward"),
    ("open_r1.rewards:fn", "open_r1.rewards", "fn", "fn"),
    ("rewards:fn", "rewards", "fn", "fn"),
    ("trl.rewards.get_x(a=1.5, b='p.q')", "trl.rewards", "get_x(a=1.5, b='p.q')", "get_x"),
    ("absent.py", nil, nil, nil), ("judge.sh", nil, nil, nil), ("nmeric", nil, nil, nil),
    ("./judge", nil, nil, nil), ("a:b:c", nil, nil, nil), ("1a.b", nil, nil, nil),
    ("a..b", nil, nil, nil), ("rewards.py:", nil, nil, nil),
  ]

  @Test("words of a setting", arguments: words)
  func named(use: String, target: String?, function: String?, name: String?) {
    let found = PythonFunction(ofFile: use) ?? PythonFunction(ofModule: use)
    #expect(found?.target == target)
    #expect(found?.function == function)
    #expect(found?.name == name)
    #expect(PythonFunction(file: "a/my.rewards.py").name == "my.rewards")
  }
}
