import Foundation
import Testing

@testable import RewardKit

/// Functions as TRL's, verl's and verifiers' users write them, each called as its toolkit calls it.
@Suite("Python functions of every shape") struct PythonFunctionTests {
  static let source = """
    import asyncio, functools

    def plain(prompts, completions, answer, **kwargs):
        return [float(c == a) for c, a in zip(completions, answer)]

    def narrow(completions, answer):
        return [c == a for c, a in zip(completions, answer)]

    def keyword_only(*, completions, level):
        return [len(c) * l for c, l in zip(completions, level)]

    def with_default(completions, threshold=2, **kwargs):
        return [float(len(c) > threshold) for c in completions]

    def variadic(*args, **kwargs):
        assert args == ()
        return [len(ids) for ids in kwargs["completion_ids"]]

    async def awaited(completions, **kwargs):
        await asyncio.sleep(0.001)
        return [len(c) for c in completions]

    def keeping_its_name(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return [2 * score for score in function(*args, **kwargs)]
        return wrapper

    def hiding_its_name(function):
        def wrapper(*args, **kwargs):
            return [3 * score for score in function(*args, **kwargs)]
        return wrapper

    doubled = keeping_its_name(plain)
    tripled = hiding_its_name(plain)
    halfway = functools.partial(with_default, threshold=1)
    anonymous = lambda completions, **kwargs: [1 for _ in completions]

    class Scaled:
        def __init__(self, scale, offset=0):
            self.scale, self.offset = scale, offset
        def __call__(self, completions, **kwargs):
            return [self.scale * len(c) + self.offset for c in completions]
        def judge(self, completions, **kwargs):
            return [-self.scale for _ in completions]
        @staticmethod
        def fixed(completions, **kwargs):
            return [0.5] * len(completions)

    class Waiting:
        async def __call__(self, completions, **kwargs):
            await asyncio.sleep(0)
            return [len(c) for c in completions]

    instance = Scaled(10)

    def make(scale, *, cap=100):
        def scaled(completions, **kwargs):
            return [min(cap, scale * len(c)) for c in completions]
        return scaled

    def lazily(completions, **kwargs):
        return (len(c) for c in completions)

    class Number:
        def __init__(self, value): self.value = value
        def __float__(self): return float(self.value)

    def scalars(completions, **kwargs):
        return tuple(Number(len(c)) for c in completions)

    def partly(completions, **kwargs):
        return [None, float("nan"), 2]

    def compute_score(data_source, solution_str, ground_truth, extra_info=None):
        assert extra_info == {}
        return float(solution_str == ground_truth)

    async def verl_waiting(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
        await asyncio.sleep(0.001)
        return {"score": len(solution_str), "acc": solution_str == ground_truth, "reason": "by length"}

    def verl_alone(solution_str):
        return len(solution_str)

    def verl_batched(data_sources, solution_strs, ground_truths, extra_infos):
        return [{"score": len(s), "right": s == g} for s, g in zip(solution_strs, ground_truths)]

    async def verl_batched_waiting(data_sources, solution_strs, ground_truths, extra_infos, scale=1):
        return [scale * len(s) for s in solution_strs]

    def rubric(completion, answer, **kwargs):
        return 1.0 if completion == answer else 0.0

    async def rubric_waiting(prompt, completion, answer, state, task, info):
        await asyncio.sleep(0.001)
        assert task == "default" and info == {} and state["prompt"] == prompt
        return state["level"] + (state["completion"] == answer)

    def rubric_of_group(completions, states, answers, **kwargs):
        return [len(completions) + (s["completion"] == a) for s, a in zip(states, answers)]
    """

  /// A function's words, its parameters, and its scope, name and outcomes for the three completions.
  static let shapes: [(String, JSONObject, scope: String, name: String, [String])] = [
    ("plain", [:], "step", "plain", ["1", "0", "1"]),
    ("narrow", [:], "step", "narrow", ["1", "0", "1"]),
    ("keyword_only", [:], "step", "keyword_only", ["1", "4", "9"]),
    ("with_default", [:], "step", "with_default", ["0", "0", "1"]),
    ("with_default", ["threshold": 0], "step", "with_default", ["1", "1", "1"]),
    ("variadic", [:], "step", "variadic", ["1", "2", "3"]),
    ("awaited", [:], "step", "awaited", ["1", "2", "3"]),
    ("doubled", [:], "step", "plain", ["2", "0", "2"]),
    ("tripled", [:], "step", "wrapper", ["3", "0", "3"]),
    ("halfway", [:], "step", "with_default", ["0", "1", "1"]),
    ("anonymous", [:], "step", "<lambda>", ["1", "1", "1"]),
    ("Scaled", ["scale": 2, "offset": 1], "step", "Scaled", ["3", "5", "7"]),
    ("Scaled(3)", [:], "step", "Scaled", ["3", "6", "9"]),
    ("Scaled.fixed", [:], "step", "fixed", ["0.5", "0.5", "0.5"]),
    ("Waiting", [:], "step", "Waiting", ["1", "2", "3"]),
    ("instance", [:], "step", "Scaled", ["10", "20", "30"]),
    ("instance.judge", [:], "step", "judge", ["-10", "-10", "-10"]),
    ("make", ["scale": 2, "cap": 5], "step", "scaled", ["2", "4", "5"]),
    ("make(2, cap=3)", [:], "step", "scaled", ["2", "3", "3"]),
    ("lazily", [:], "step", "lazily", ["1", "2", "3"]),
    ("scalars", [:], "step", "scalars", ["1", "2", "3"]),
    (
      "partly", [:], "step", "partly",
      ["the function returned None", "the function returned NaN", "2"]
    ),
    (
      "compute_score", ["ground_truth": "bb"], "completion", "compute_score", ["0", "1", "0"]
    ),
    ("verl_waiting", ["ground_truth": "?"], "completion", "verl_waiting", ["1", "2", "3"]),
    ("verl_alone", [:], "completion", "verl_alone", ["1", "2", "3"]),
    ("verl_batched", ["ground_truths": ["a", "bb", ""]], "step", "verl_batched", ["1", "2", "3"]),
    (
      "verl_batched_waiting", ["ground_truths": [], "scale": 2], "step", "verl_batched_waiting",
      ["2", "4", "6"]
    ),
    ("rubric", [:], "completion", "rubric", ["1", "0", "1"]),
    ("rubric_waiting", [:], "completion", "rubric_waiting", ["2", "2", "4"]),
    ("rubric_of_group", [:], "group", "rubric_of_group", ["3", "2", "2"]),
  ]

  @Test("is called by name, as its toolkit calls it", arguments: shapes)
  func shape(
    words: String, parameters: JSONObject, scope: String, name: String, expected: [String]
  ) throws {
    let folder = try PluginFolder()
    let path = try folder.file("rewards.py", Self.source)
    let session = try AdapterSession(path, words, parameters: parameters, [AdapterSession.three])
    #expect(session.greeting?["scope"]?.string == scope, "\(session.errors)")
    #expect(session.greeting?["name"]?.string == name)
    #expect(session.greeting?["deterministic"] == nil, "only the user can promise that")
    #expect(session.outcomes == expected, "\(session.errors)")
    #expect(session.replies.compactMap { $0["id"]?.integer } == [7, 8, 9])
  }

  @Test("no column is kept back that a function can see")
  func reads() throws {
    let folder = try PluginFolder()
    let path = try folder.file("rewards.py", Self.source)
    let expected: [(String, JSONValue?)] = [
      ("plain", nil), ("narrow", ["answer"]), ("rubric", nil), ("rubric_waiting", nil),
      ("rubric_of_group", nil), ("tripled", nil),
    ]
    for (function, columns) in expected {
      #expect(try AdapterSession(path, function, []).greeting?["reads"] == columns)
    }
    let alone = try folder.file("alone.py", "def f(completion, answer, task): return 1\n")
    let reads = try AdapterSession(alone, "f", []).greeting?["reads"]
    #expect(reads == ["completion", "answer", "task"])
  }

  @Test("chat completions are messages for TRL and verifiers, the answer's text for verl")
  func chat() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "chat.py",
      """
      def trl(prompts, completions, **kwargs):
          return [len(c[0]["content"]) * (p[0]["role"] == "user") for p, c in zip(prompts, completions)]
      def verl(solution_str, **kwargs):
          return len(solution_str)
      def rubric(prompt, completion, **kwargs):
          return len(completion[-1]["content"]) * (prompt[0]["role"] == "user")
      """)
    let line = AdapterSession.line([("a", [:]), ("bb", [:])], isChat: true)
    for function in ["trl", "verl", "rubric"] {
      #expect(try AdapterSession(path, function, [line]).outcomes == ["1", "2"])
    }
  }

  @Test(
    "verl's ground truth is a column or a member of reward_model; a row without one fails alone")
  func groundTruth() throws {
    let folder = try PluginFolder()
    let path = try folder.file("rewards.py", Self.source)
    let line = AdapterSession.line([
      ("a", ["ground_truth": "a"]), ("b", ["reward_model": ["ground_truth": "b"]]),
      ("c", ["reward_model": ["style": "rule"]]),
    ])
    let session = try AdapterSession(path, "compute_score", columns: nil, [line])
    #expect(
      session.outcomes == [
        "1", "1",
        "error: ValueError: the row has neither ground_truth nor reward_model.ground_truth",
      ])
    #expect(
      session.greeting?["reads"]
        == ["data_source", "ground_truth", "reward_model", "extra_info"])
  }

  @Test("trainer_state has the trainer's four numbers; nobody else's are invented")
  func trainerState() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "state.py",
      """
      def curriculum(completions, trainer_state, **kwargs):
          s = trainer_state
          return [s.global_step / s.max_steps + 10 * s.epoch + 100 * s.num_train_epochs] * len(completions)
      def other(completions, trainer_state, **kwargs):
          return [trainer_state.total_flos] * len(completions)
      """)
    let state: JSONValue = [
      "global_step": 3, "max_steps": 4, "epoch": 0.5, "num_train_epochs": 2,
    ]
    let line = AdapterSession.line([("a", [:]), ("b", [:])], state: state)
    #expect(
      try AdapterSession(path, "curriculum", [line, line]).outcomes == [
        "205.75", "205.75", "205.75", "205.75",
      ])
    let before = try AdapterSession(path, "curriculum", [AdapterSession.three])
    #expect(before.outcomes == ["100", "100", "100"], "the start of a single step")
    let unknown = try AdapterSession(path, "other", [line]).outcomes[0]
    #expect(unknown.contains("trainer_state has no 'total_flos' here: it has global_step"))
  }

  @Test("log_metric means over a call, log_extra by completion, integers of any size")
  func logs() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "logs.py",
      """
      class Wide:
          def __index__(self): return 2**63 + 1
      def logs(completions, level, log_extra, log_metric, **kwargs):
          log_metric("seen", 1); log_metric("seen", 2.0); log_metric("bad", float("nan"))
          log_extra("level", [-l for l in level]); log_extra("wide", [Wide()])
          log_extra("where", [object() for _ in completions])
          return [str(l) == "18446744073709551617" for l in level]
      """)
    let big = try JSONValue.parse("18446744073709551617")
    let line = AdapterSession.line([("a", ["level": big]), ("b", ["level": 1])])
    let session = try AdapterSession(path, "logs", [line])
    #expect(session.outcomes == ["1", "0"])
    #expect(session.replies[0]["metrics"] == ["seen": 1.5])
    #expect(session.replies[1]["metrics"] == nil)
    #expect(session.replies[0]["log"]?["level"]?.jsonText == "-18446744073709551617")
    #expect(session.replies[0]["log"]?["wide"]?.jsonText == "9223372036854775809")
    #expect(session.replies[1]["log"]?["where"] == "<object object>", "no address")
    #expect(session.errors.contains("log_extra: 'wide' has 1 values, not 2"))
  }

  /// Bodies of calls that fail, and the error of each of the three completions.
  static let failures: [(String, String)] = [
    (
      "return [1.0]",
      "ValueError: f returned 1 scores, but 3 were expected (one for each completion, in their order)"
    ),
    (
      "return []",
      "ValueError: f returned 0 scores, but 3 were expected (one for each completion, in their order)"
    ),
    ("raise RuntimeError(f'no {object()}')", "RuntimeError: no <object object>"),
    ("return 1.0", "TypeError: f returned 1.0, and not a list with a score for each completion"),
    ("pass", "TypeError: f returned None, and not a list with a score for each completion"),
    (
      "return {0: 1.0, 1: 1.0, 2: 1.0}",
      "TypeError: f returned {0: 1.0, 1: 1.0, 2: 1.0}, and not a list with a score for each completion"
    ),
    (
      "return {3.0, 4.0, 5.0}",
      "TypeError: f returned {3.0, 4.0, 5.0}, and not a list with a score for each completion"
    ),
    (
      "return '111'", "TypeError: f returned '111', and not a list with a score for each completion"
    ),
    ("raise KeyboardInterrupt('mine')", "KeyboardInterrupt: mine"),
    ("raise GeneratorExit", "GeneratorExit"),
    (
      "import asyncio; raise asyncio.CancelledError('gone')",
      "asyncio.exceptions.CancelledError: gone"
    ),
    ("raise type('Own', (BaseException,), {'__module__': 'builtins'})('x')", "Own: x"),
    ("import sys; sys.exit(3)", "SystemExit: 3"),
    (
      "return completion_ids[0] / 0",
      "TypeError: unsupported operand type(s) for /: 'list' and 'int'"
    ),
    ("raise ValueError('two\\nlines')", "ValueError: two\nlines"),
    ("return ['x'] * 3", "the function returned 'x', which is not a number"),
    ("return [float('inf')] * 3", "the function returned an infinite score"),
    ("return [object()] * 3", "the function returned <object object>, which is not a number"),
  ]

  @Test("a call that fails fails for all its completions, and is made once", arguments: failures)
  func failure(body: String, error: String) throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "fails.py",
      "import sys\ndef f(completions, completion_ids, **kw):\n    print('called')\n    \(body)\n")
    let session = try AdapterSession(path, "f", [AdapterSession.three])
    #expect(session.outcomes == Array(repeating: "error: " + error, count: 3))
    #expect(session.errors.ranges(of: "called").count == 1)
  }

  @Test("of functions that judge one completion, the culprit alone fails")
  func culprit() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "alone.py",
      """
      async def f(completion, **kwargs):
          return 1 / (len(completion) - 2)
      """)
    #expect(
      try AdapterSession(path, "f", [AdapterSession.three]).outcomes
        == ["-1", "error: ZeroDivisionError: division by zero", "1"])
  }

  @Test(
    "what ends a program ends the one call that raised it",
    arguments: ["KeyboardInterrupt", "SystemExit", "GeneratorExit", "asyncio.CancelledError"],
    ["", "async "])
  func endings(name: String, kind: String) throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "ends.py",
      """
      import asyncio
      \(kind)def f(completion, **kwargs):
          if len(completion) == 2: raise \(name)("mine")
          return 1.0
      """)
    let session = try AdapterSession(path, "f", [AdapterSession.three, AdapterSession.three])
    let last = name.split(separator: ".").last ?? ""
    #expect(session.code == 0 && session.outcomes.count == 6, "\(session.errors)")
    for (index, outcome) in session.outcomes.enumerated() {
      if index % 3 == 1 {
        #expect(outcome.hasPrefix("error: ") && outcome.hasSuffix("\(last): mine"), "\(outcome)")
      } else {
        #expect(outcome == "1")
      }
    }
  }

  @Test("completion_ids of a text that no tokenizer read are asked for when they are looked at")
  func unknownTokens() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "ids.py",
      """
      def unused(prompts, completions, completion_ids): return [1.0] * len(completion_ids)
      def used(completion_ids, **kwargs): return [len(ids) for ids in completion_ids]
      """)
    let line = try JSONValue.parse(
      #"[{"id":1,"group":0,"prompt":"","completion":"a","completion_ids":[],"columns":{}},"#
        + #"{"id":2,"group":0,"prompt":"","completion":"","completion_ids":[],"columns":{}}]"#)
    #expect(try AdapterSession(path, "unused", [line]).outcomes == ["1", "1"])
    let used = try AdapterSession(path, "used", [line]).outcomes
    #expect(used[0].contains("--tokenizer"), "\(used)")
  }
}
