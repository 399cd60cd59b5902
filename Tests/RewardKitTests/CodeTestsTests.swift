import Foundation
import RewardKit
import TestSupport
import Testing

@Suite("Model-written code, isolated") struct CodeTestsTests {
  /// Whether this kernel lets a process isolate itself.
  static let canIsolate: Bool = {
    (try? suite(["use": "code_tests", "sandbox": "isolated"])) != nil
  }()

  /// The rows of MBPP, from 0, whose tests need classes of the solution's own.
  static let needObjects = [366, 600, 926]

  static let row: JSONObject = [
    "test_list": ["assert f(2) == 4", "assert f(3) == 9"], "test_setup_code": "",
  ]

  static let attempts: [(String, Double)] = [
    ("def f(x): return x * x", 1),
    ("Here:\n```python\ndef f(x): return x * x\n```\nDone.", 1),
    ("def f(x): return 4", 0.5),
    ("def f(x): return 0", 0), ("", 0), ("def f(", 0),
    ("import os; os._exit(0)", 0), ("import sys; sys.exit(0)", 0),
    ("while True: pass", 0),
    ("import os\nos.kill(os.getppid(), 9)\ndef f(x): return x * x", 0),
    (
      "import os\nif os.fork() == 0:\n  os.setsid()\n  import time; time.sleep(600)\ndef f(x): return x * x",
      1
    ),
    ("open('/etc/grpo-was-here', 'w')\ndef f(x): return x * x", 0),
    ("import socket; socket.create_connection(('127.0.0.1', 22), 1)\ndef f(x): return x * x", 0),
    ("x = bytearray(4 << 30)\ndef f(x): return x * x", 0),
    (
      "import os\nfor fd in range(64):\n  try: os.write(fd, b'{\"id\": 1, \"score\": 1}\\n')\n  except OSError: pass",
      0
    ),
    ("print('{\"id\": 1, \"score\": 1}')\ndef f(x): return x * x", 1),
    ("def f(x): return x * x", 1),
  ]

  @Test("only code that passes its tests is rewarded", .enabled(if: canIsolate))
  func attempts() throws {
    let suite = try suite(
      [
        [
          "use": "code_tests", "parameters": ["partial": true, "test_time_limit": 1],
          "failure_limit": 1,
        ]
      ])
    #expect(suite.rewards[0].sandbox == .isolated)
    let scored = try suite.score(
      Self.attempts.enumerated().map { request($0, $1.0, columns: Self.row) })
    for (index, (code, expected)) in Self.attempts.enumerated() {
      #expect((scored[index].total ?? 0) == expected, "\(code): \(scored[index].outcomes)")
    }
    suite.shutDown()
    // Other suites may be running the same script at this moment: theirs go as well, only later.
    var left = processes(mentioning: "code_tests")
    for _ in 0..<600 where !left.isEmpty {
      usleep(100_000)
      left = processes(mentioning: "code_tests")
    }
    #expect(left.isEmpty)
  }

  /// Completions that are not right, each of which tries to be paid all the same: in `f(1) == 2` and the like.
  static let forgeries: [String: String] = [
    "an object that equals everything": """
    class Yes:
        def __eq__(self, other): return True
        def __ne__(self, other): return False
        def __hash__(self): return 0
    def f(x): return Yes()
    """,
    "an int that equals everything": """
    class Yes(int):
        def __eq__(self, other): return True
    def f(x): return Yes(5)
    """,
    "a compiler that compiles nothing": """
    import builtins
    real = builtins.compile
    builtins.compile = lambda source, *rest, **more: real("pass", "t", "exec")
    builtins.exec = lambda *rest: None
    """,
    "the secret of the frame above": """
    import sys, os
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if isinstance(value, str):
                for fd in range(64):
                    try: os.write(fd, (value + " 0\\n").encode())
                    except OSError: pass
        frame = frame.f_back
    """,
    "the tests in memory": """
    import gc, re
    texts = [o for o in gc.get_objects() if isinstance(o, (dict, list, tuple))]
    found = {}
    for o in texts:
        for v in (o.values() if isinstance(o, dict) else o):
            if isinstance(v, str):
                found.update({int(a): int(b) for a, b in re.findall(r"assert f\\((\\d+)\\) == (\\d+)$", v)})
    def f(x): return found[x]
    """,
    "the tests in the memory of the others": """
    import os, re
    found = {}
    for process in [p for p in os.listdir("/proc") if p.isdigit()]:
        for name in ("mem", "cmdline", "environ", "fd/0"):
            try:
                text = open(f"/proc/{process}/{name}", errors="replace").read(1 << 20)
                found.update({int(a): int(b) for a, b in re.findall(r"assert f\\((\\d+)\\) == (\\d+)$", text)})
            except (OSError, ValueError): pass
    def f(x): return found[x]
    """,
    "names that the tests use": """
    def f(x): return 7
    def abs(x): return 0
    def sorted(x): return 0
    def len(x): return 0
    def isinstance(*x): return True
    def check(*x): return None
    class math: isclose = staticmethod(lambda *x: True)
    """,
    "an end of every loop": "def f(x): raise StopIteration",
    "an exit with success": "import os\ndef f(x): os._exit(0)",
    "an exit by exception": "def f(x): raise SystemExit(0)",
    "frames of its own making": """
    import json, os, struct
    data = json.dumps({"passed": [0, 1], "error": None, "index": 0, "functions": ["f"], "value": True, "changed": []}).encode()
    for fd in range(64):
        try: os.write(fd, (struct.pack("<I", len(data)) + data) * 50)
        except OSError: pass
    """,
    "lines of the judge": """
    import os
    for fd in range(64):
        try: os.write(fd, b'{"index": 0, "error": null}\\n{"id": 0, "score": 100}\\n')
        except OSError: pass
    """,
    "a replaced JSON": """
    import json
    json.dumps = lambda message, **more: '{"value": true, "changed": [], "functions": ["f"]}'
    def f(x): return 1
    """,
    "the judge stopped": """
    import os, signal
    for process in range(1, 400):
        if process != os.getpid():
            for target in (process, -process):
                for call in (lambda: os.kill(target, signal.SIGSTOP), lambda: os.kill(target, signal.SIGKILL)):
                    try: call()
                    except OSError: pass
    def f(x): return 1
    """,
    "not a number": "def f(x): return float('nan')",
    "everything at once": "def f(x): return [2, 4, 9]",
  ]

  static let strictRow: JSONObject = [
    "test_list": [
      "assert f(2) == 4", "assert f(3) == 9", "assert abs(f(2) - 4) < 1",
      "assert len(sorted([f(2), 3])) == 2",
      "import math\nassert math.isclose(f(2), 4)", "assert isinstance(f(2), int)",
      "assert all(map(lambda x: f(x) == x * x, [1, 2, 3]))",
      "assert list(map(f, [1, 2])) == [1, 4]",
    ]
  ]

  @Test(
    "a completion without a right f is paid nothing, whatever else it does",
    .enabled(if: canIsolate))
  func forgeries() throws {
    let suite = try suite(["use": "code_tests", "parameters": ["test_time_limit": 1.5]])
    let right = "def f(x): return x * x"
    for (index, (name, code)) in Self.forgeries.sorted(by: { $0.key < $1.key }).enumerated() {
      let scored = try suite.score([
        request(2 * index, code, columns: Self.strictRow),
        request(2 * index + 1, right, columns: Self.strictRow),
      ])
      #expect(scored[0].total == 0, "\(name): \(scored[0].outcomes)")
      #expect(scored[1].total == 1, "after \(name): \(scored[1].outcomes)")
    }
  }

  /// Completions that try to spoil those that come later.
  static let poisons = [
    "open('/dev/shm/bisect.py', 'w').write('raise Exception')\nopen('fractions.py', 'w').write('raise Exception')",
    """
    for i in range(100):
        try: open('/dev/shm/f%d' % i, 'wb').write(b'x' * (1 << 20))
        except OSError: break
    """,
    """
    import os
    for i in range(100000):
        try: os.mkdir('d'); os.chdir('d'); open('x', 'w')
        except OSError: break
    os.chmod('/dev/shm', 0)
    """,
    """
    import os
    for depth in range(900):
        os.mkdir('d'); os.chdir('d')
    os.chmod('.', 0)
    """,
    """
    import os, signal, resource
    for process in range(1, 200):
        for act in (lambda: os.kill(process, signal.SIGSTOP), lambda: os.kill(-process, signal.SIGKILL),
                    lambda: resource.prlimit(process, resource.RLIMIT_NOFILE, (0, 0)),
                    lambda: os.sched_setaffinity(process, [0]), lambda: os.setpriority(os.PRIO_PROCESS, process, 19)):
            if process == os.getpid(): continue
            try: act()
            except (OSError, ValueError): pass
    """,
    """
    import os
    while True:
        try:
            if os.fork() == 0: os.setsid()
        except OSError: pass
    """,
    "import os, time\nif os.fork() == 0:\n  os.setsid()\n  while True: open('/dev/shm/bisect.py', 'w').write('raise Exception')",
    "import sys\nsys.path.insert(0, '/dev/shm')\nx = bytearray(4 << 30)",
  ]

  @Test(
    "no completion spoils the next: neither its files nor its processes, limits and signals",
    .enabled(if: canIsolate))
  func poisons() throws {
    let suite = try suite(["use": "code_tests", "parameters": ["test_time_limit": 1.5]])
    let victim = """
      import bisect, fractions, os, tempfile
      with tempfile.NamedTemporaryFile() as file: file.write(b'x' * 1000); file.flush()
      assert os.listdir('.') == [] and os.getcwd() == tempfile.gettempdir()
      def f(x): return x * x
      """
    for (index, poison) in Self.poisons.enumerated() {
      let scored = try suite.score(
        [victim, poison, victim, victim].enumerated().map {
          request(4 * index + $0, $1, columns: Self.row)
        })
      #expect(
        scored.map { $0.total ?? -1 } == [1, 0, 1, 1], "\(poison): \(scored.map(\.outcomes))")
    }
  }

  @Test(
    "values, keywords, exceptions, changed and shared arguments go to and fro as Python has them",
    .enabled(if: canIsolate))
  func carriedValues() throws {
    let code = """
      def f(*a, **k): return (a, k) if len(a) != 1 or k else a[0]
      def change(a, d, s, again):
          a.sort(); a.append(a); d['new'] = a; s.clear(); s.add(3)
          again[0].append('inner')
          return again
      def fail(kind): raise kind('because', 7)
      class Own(ValueError): pass
      def own(): raise Own('mine')
      def kind(x): return type(x) is int
      def deep(n):
          x = []
          for _ in range(n): x = [x]
          return x
      """
    let tests = [
      "for v in [None, True, 0, -5, 2**200, 1.5, -0.0, 1e308, 1+2j, 'é🙂\\ud800', b'\\x00\\xff', [], [1, [2]], (1, (2,)), {1: 'a', (2, 3): None}, {1, 2}, frozenset([3])]:\n    r = f(v)\n    assert r == v and type(r) is type(v), v",
      "import math\nassert math.isinf(f(float('inf'))) and math.isnan(f(float('nan'))) and math.copysign(1, f(-0.0)) == -1",
      "assert f(1, x=[2]) == ((1,), {'x': [2]})",
      "a, d, s, inner = [3, 1, 2], {}, {1}, []\nouter = [inner, inner]\nr = change(a, d, s, outer)\nassert a[:3] == [1, 2, 3] and a[3] is a and d['new'] is a and s == {3}\nassert inner == ['inner'] and r is outer and r[0] is inner and r[1] is inner",
      "try: fail(KeyError); assert False\nexcept KeyError: pass",
      "try: fail(ZeroDivisionError); assert False\nexcept ZeroDivisionError as e: assert 'because' in str(e)",
      "try: own(); assert False\nexcept ValueError as e: assert str(e) == 'mine' and type(e) is ValueError",
      "assert kind(5) and not kind(True)", "assert f(int) is int", "assert deep(50) != []",
    ]
    let suite = try suite(["use": "code_tests", "parameters": ["partial": true]])
    for (index, test) in tests.enumerated() {
      let columns: JSONObject = ["test_list": [.string(test)]]
      let scored = try suite.score([request(index, code, columns: columns)])
      #expect(scored[0].total == 1, "\(test): \(scored[0].outcomes)")
    }
    for (index, test) in ["deep(500)", "f(lambda: 1)", "f(f)"].enumerated() {
      let columns: JSONObject = ["test_list": [.string(test)]]
      #expect(
        try suite.score([request(100 + index, code, columns: columns)])[0].total == 0, "\(test)")
    }
  }

  @Test("a row without tests that can be run is unscorable", .enabled(if: canIsolate))
  func withoutTests() throws {
    let suite = try suite(["use": "code_tests"])
    let rows: [JSONObject] = [
      [:], ["test_list": []], ["test_list": [5]], ["entry_point": "f"],
      ["entry_point": "f", "test": 5],
      ["test_list": ["assert f(1) == 1"], "test_setup_code": 5],
    ]
    for (index, columns) in rows.enumerated() {
      let scored = try suite.score([request(index, "def f(x): return x", columns: columns)])
      guard case .unscorable = scored[0].outcomes[0].scoring else {
        Issue.record("\(columns): \(scored[0].outcomes)")
        continue
      }
    }
    let ended: JSONObject = ["test_list": ["import os\nos._exit(0)"]]
    let scored = try suite.score([request(9, "def f(x): return x", columns: ended)])
    #expect(
      scored[0].total == 0 && scored[0].score?.log["error"] == "the tests ended their process")
  }

  @Test(
    "a row that needs the solution's own objects is unscorable, and judged where it is asked",
    .enabled(if: canIsolate))
  func ownObjects() throws {
    let reference = "class Pair:\n  def __init__(self, a): self.a = a\ndef f(p): return p.a"
    let columns: JSONObject = ["test_list": ["assert f(Pair(3)) == 3"], "code": .string(reference)]
    let wrong = "class Pair:\n  def __init__(self, a): self.a = a\ndef f(p): return 4"
    let apart = try suite(["use": "code_tests"])
    for (index, code) in [reference, wrong, "", "def f(p): return object()"].enumerated() {
      let outcome = try apart.score([request(index, code, columns: columns)])[0].outcomes[0]
      guard case .unscorable(let reason) = outcome.scoring else {
        Issue.record("\(code): \(outcome)")
        continue
      }
      #expect(reason.contains("same_process"))
    }
    let together = try suite(["use": "code_tests", "parameters": ["same_process": true]])
    let scored = try together.score([
      request(0, reference, columns: columns), request(1, wrong, columns: columns),
      request(2, "", columns: columns),
    ])
    #expect(scored.map(\.total) == [1, 0, 0])
    // Without a reference that shows it, and where the reference has none, own objects are no excuse.
    let plain: JSONObject = ["test_list": ["assert f(3) == 3"], "code": "def f(p): return p"]
    for columns in [plain, ["test_list": ["assert f(3) == 3"]]] {
      #expect(
        try apart.score([request(9, "def f(p): return object()", columns: columns)])[0].total == 0)
    }
  }

  @Test(
    "reference solutions of MBPP and HumanEval pass",
    .enabled(if: canIsolate && SharedFiles.has("data/mbpp/mbpp.jsonl")),
    arguments: ["mbpp/mbpp.jsonl", "humaneval/HumanEval.jsonl"])
  func referenceSolutions(path: String) throws {
    let data = try Data(contentsOf: SharedFiles.url("data/" + path))
    let suite = try suite([
      [
        "use": "code_tests", "workers": 2, "time_limit": 60,
        "parameters": ["test_time_limit": 20],
      ]
    ])
    var requests: [RewardRequest] = []
    // A part of the rows: all of them take a minute (docs/rewards.md has the figure for all).
    let every = ProcessInfo.processInfo.environment["GRPO_ALL_ROWS"] == nil ? 12 : 1
    // HumanEval's with helpers of the prompt, MBPP's that replace a function of Python's own or pass types.
    let special = path.hasPrefix("mbpp") ? [125, 532, 595] : [32, 33, 38, 50]
    for (index, line) in data.split(separator: UInt8(ascii: "\n")).enumerated()
    where index % every == 0 || special.contains(index)
      || (path.hasPrefix("mbpp") && Self.needObjects.contains(index))
    {
      var row = try #require(JSONValue.parse(bytes: line).object)
      let prompt = row["prompt"]?.string ?? "?"
      row["prompt"] = nil
      let problem = Problem(index: index, prompt: .text(prompt), columns: row)
      let gold = try #require(suite.goldCompletion(for: problem, reward: 0))
      requests.append(
        RewardRequest(
          id: index, group: index, problem: problem,
          completion: Completion(text: gold, tokens: [], finish: .stop)))
    }
    let wrong = try suite.score(requests).filter { $0.total != 1 }
    // The rows that docs/rewards.md lists: their tests need classes of the solution.
    #expect(wrong.map(\.id) == (path.hasPrefix("mbpp") ? Self.needObjects : []), "\(wrong)")
    for row in wrong {
      guard case .unscorable = row.outcomes[0].scoring else {
        Issue.record("\(row)")
        continue
      }
    }
  }
}
