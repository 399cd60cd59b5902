import Foundation
import Rollouts
import Testing

@testable import RewardKit

/// An environment with its events, asked one at a time.
final class EnvironmentDriver {
  let host: EnvironmentHost
  private var come: [Int: [EnvironmentHost.Event]] = [:]

  init(tools: [String] = [], _ use: String? = nil, timeLimit: Double = 20) throws {
    var environment = RewardSpecification(use: use ?? "tools")
    environment.timeLimit = timeLimit
    environment.workers = 2
    let specification = try #require(
      EnvironmentSpecification(tools: tools, environment: use == nil ? nil : environment))
    host = try EnvironmentHost(try specification.resolved(columns: nil))
  }

  deinit { host.shutDown() }

  /// The next event of a session.
  func next(_ session: Int) throws -> EnvironmentHost.Event {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      if var own = come[session], !own.isEmpty {
        let event = own.removeFirst()
        come[session] = own
        return event
      }
      for (session, event) in host.events(waiting: 0.2) { come[session, default: []].append(event) }
    }
    throw WireFault("no event of session \(session) came")
  }

  func open(_ session: Int, _ columns: JSONObject = [:]) throws -> String {
    host.open(
      session,
      Problem(
        index: 0, prompt: .messages([ChatMessage(role: "user", content: "p")]), columns: columns))
    guard case .opened(let opening) = try next(session) else { throw WireFault("not opened") }
    return opening.text
  }

  func step(_ session: Int, _ calls: [ToolCall], text: String = "") throws -> Observation {
    host.step(
      session, AssistantTurn(content: text, calls: calls.map { .success($0) }), text: text)
    switch try next(session) {
    case .stepped(let observation): return observation
    case .failed(let reason): throw WireFault(reason)
    default: throw WireFault("not stepped")
    }
  }

  func close(_ session: Int) throws -> Double? {
    host.close(session)
    guard case .closed(let reward) = try next(session) else { throw WireFault("not closed") }
    return reward
  }
}

@Suite("Environments, by shape and with their armour") struct EnvironmentTests {
  static let tools = """
    import asyncio, os, time

    def multiply(a: int, b: int) -> int:
        \"\"\"Multiplies two numbers.

        Args:
            a: the first
            b: the second
        \"\"\"
        return a * b

    async def later(x: str) -> str:
        \"\"\"Says it later.

        Args:
            x: what
        \"\"\"
        await asyncio.sleep(0.01)
        return x

    def hang() -> str:
        \"\"\"Never answers.\"\"\"
        time.sleep(3600)

    def crash() -> str:
        \"\"\"Ends the process.\"\"\"
        os._exit(3)

    class Game:
        def reset(self, **row):
            self.secret = row["secret"]
            self.guesses = 0
            return "Guess."

        def guess(self, word: str) -> str:
            \"\"\"Guesses.

            Args:
                word: the word
            \"\"\"
            self.guesses += 1
            return "yes" if word == self.secret else "no"

        async def get_reward(self) -> float:
            return 1 / self.guesses if self.guesses else None
    """

  @Test("functions are tools: schema, calls in order, errors as TRL words them")
  func functions() throws {
    let folder = try PluginFolder()
    let path = try folder.file("tools.py", Self.tools)
    let driver = try EnvironmentDriver(tools: ["\(path):multiply,later"])
    #expect(driver.host.greeting.acts == .calls)
    #expect(
      driver.host.greeting.tools.compactMap { $0["function"]?["name"]?.string } == [
        "multiply", "later",
      ])
    #expect(try driver.open(0).isEmpty)
    let observation = try driver.step(
      0,
      [
        ToolCall(name: "multiply", arguments: ["a": 3, "b": 4]),
        ToolCall(name: "later", arguments: ["x": "q"]), ToolCall(name: "no"),
      ])
    #expect(
      observation.messages.map(\.content) == ["12", "q", "{'error': 'Tool no not found.'}"])
    #expect(observation.messages.map(\.role) == ["tool", "tool", "tool"])
    #expect(observation.failures == 1)
    #expect(try driver.close(0) == nil)
  }

  @Test("a function's schema is transformers' get_json_schema's, to the letter (5.24)")
  func schema() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "weather.py",
      """
      import enum
      from typing import Literal, Optional, Union

      class Unit(enum.Enum):
          C = "c"
          F = "f"

      def weather(city: str, days: Optional[int] = 1, unit: Unit = Unit.C, tags: Union[list[str], str] = "x",
                  kind: Literal["a", 2] = "a", box: tuple[int, float] = (1, 2.0), extra: dict[str, float] = None) -> str:
          \"""Tells the weather
          of a city.

          Args:
              city (str): where,
                  in words
              days: how many (choices: [1, 2])
              unit: of the temperature
              tags: labels
              kind: which
              box: bounds
              extra: more

          Returns:
              A sentence.
          \"""
      """)
    let driver = try EnvironmentDriver(tools: ["\(path):weather"])
    let expected = #"""
      {"type": "function", "function": {"name": "weather", "description": "Tells the weather\nof a city.", "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "where, in words"}, "days": {"type": "integer", "nullable": true, "enum": [1, 2], "description": "how many"}, "unit": {"type": "string", "enum": ["c", "f"], "description": "of the temperature"}, "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}], "description": "labels"}, "kind": {"type": ["string", "integer"], "enum": ["a", 2], "description": "which"}, "box": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "number"}], "description": "bounds"}, "extra": {"type": "object", "additionalProperties": {"type": "number"}, "description": "more"}}, "required": ["city"]}, "return": {"type": "string", "description": "A sentence."}}}
      """#
    #expect(driver.host.greeting.tools.map(\.jsonText) == [try JSONValue.parse(expected).jsonText])
  }

  @Test("TRL's class: the row, a text, methods as tools, its own reward; sessions apart")
  func trl() throws {
    let folder = try PluginFolder()
    let path = try folder.file("game.py", Self.tools)
    let driver = try EnvironmentDriver("\(path):Game")
    #expect(driver.host.greeting.hasReward)
    #expect(try driver.open(0, ["secret": "a"]) == "Guess.")
    #expect(try driver.open(1, ["secret": "b"]) == "Guess.")
    let guess = ToolCall(name: "guess", arguments: ["word": "b"])
    #expect(try driver.step(0, [guess]).messages.map(\.content) == ["no"])
    #expect(try driver.step(1, [guess]).messages.map(\.content) == ["yes"])
    _ = try driver.step(0, [guess])
    #expect(try driver.close(0) == 0.5)
    #expect(try driver.close(1) == 1)
  }

  @Test(
    "a step that hangs or crashes loses its own trajectory; the others are asked again elsewhere")
  func armour() throws {
    let folder = try PluginFolder()
    let path = try folder.file("tools.py", Self.tools)
    let driver = try EnvironmentDriver(tools: ["\(path):hang,crash"], "\(path):Game", timeLimit: 3)
    for session in 0..<3 { _ = try driver.open(session, ["secret": "a"]) }
    let guess = ToolCall(name: "guess", arguments: ["word": "a"])
    #expect(try driver.step(2, [guess]).messages.map(\.content) == ["yes"])
    #expect(throws: WireFault("took longer than the 3 s of time_limit")) {
      try driver.step(0, [ToolCall(name: "hang")])
    }
    #expect(throws: WireFault("exited with status 3")) {
      try driver.step(1, [ToolCall(name: "crash")])
    }
    #expect(try driver.step(2, [guess]).messages.map(\.content) == ["yes"])
    #expect(try driver.close(2) == 0.5)
  }

  @Test("OpenRLHF's, SkyRL's and verl's shapes")
  func shapes() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "shapes.py",
      """
      class Agent:
          async def reset(self, states, **kwargs):
              return {"observation": states["observation"]}
          async def step(self, states, **kwargs):
              done = states["action_text"] == "stop"
              return {"rewards": 0.5, "scores": 0.5, "environment_feedback": "more", "done": done,
                      "sampling_params": None, "extra_logs": {}}

      class Gym:
          def __init__(self, env_config, extras):
              self.answer = extras["answer"]
          def init(self, prompt):
              return prompt, {}
          def step(self, action):
              right = action == self.answer
              told = [] if right else [{"role": "user", "content": "no"}]
              return {"observations": told, "reward": float(right), "done": right, "metadata": {}}

      class Calc:
          def __init__(self, config, tool_schema):
              self.name = "calc"
              self.tool_schema = {"type": "function", "function": {"name": "calc", "parameters": {}}}
          async def create(self, instance_id=None, **kwargs):
              return "one", None
          async def execute(self, instance_id, parameters, **kwargs):
              return {"text": str(parameters["x"] * 2)}, 0.25, {}
          async def calc_reward(self, instance_id, **kwargs):
              return 0.5
          async def release(self, instance_id, **kwargs):
              pass
      """)
    let agent = try EnvironmentDriver("\(path):Agent")
    #expect(agent.host.greeting.acts == .text)
    _ = try agent.open(0, ["label": "x"])
    let first = try agent.step(0, [], text: "go")
    #expect(first.messages.map(\.content) == ["more"] && first.reward == 0.5 && !first.isDone)
    #expect(try agent.step(0, [], text: "stop").isDone)
    #expect(try agent.close(0) == 1)

    let gym = try EnvironmentDriver("\(path):Gym")
    _ = try gym.open(0, ["answer": "4"])
    #expect(try gym.step(0, [], text: "3").messages.map(\.content) == ["no"])
    #expect(try gym.step(0, [], text: "4").isDone)
    #expect(try gym.close(0) == 1)

    let verl = try EnvironmentDriver(tools: ["\(path):Calc"])
    _ = try verl.open(0)
    let call = ToolCall(name: "calc", arguments: ["x": 3])
    #expect(try verl.step(0, [call]).messages.map(\.content) == ["6"])
    #expect(try verl.close(0) == 0.75)
  }

  @Test("what is no tool is refused at the start, with the reason")
  func refused() throws {
    let folder = try PluginFolder()
    let path = try folder.file("bare.py", "def f(x):\n    '''Doc.'''\n    return x\n")
    for (tools, words) in [
      ("\(path):f", "no type hint"), ("\(path):g", "has no tool 'g'; it has: f"),
      ("/nowhere/x.py", "there is no file"),
    ] {
      let error = #expect(throws: RewardError.self) { _ = try EnvironmentDriver(tools: [tools]) }
      #expect(error.map { "\($0)".contains(words) } == true, "\(String(describing: error))")
    }
  }

  @Test("a program in any language: one trajectory a process, as it greets")
  func program() throws {
    let folder = try PluginFolder()
    let path = try folder.file(
      "count.py",
      """
      #!/usr/bin/env python3
      import json, sys
      for line in sys.stdin:
          ask = json.loads(line)
          if "hello" in ask:
              print(json.dumps({"grpo": 1, "kind": "environment", "name": "count", "sessions": 1}), flush=True)
              continue
          reply = {"id": ask["id"]}
          if "reset" in ask:
              left = ask["reset"]["columns"]["n"]
          elif "step" in ask:
              left -= 1
              reply.update(observation=f"{left} left", done=left == 0)
          else:
              reply["reward"] = float(left == 0)
          print(json.dumps(reply), flush=True)
      """)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    let driver = try EnvironmentDriver(path)
    #expect(driver.host.greeting.acts == .text)
    _ = try driver.open(0, ["n": 1])
    _ = try driver.open(1, ["n": 2])
    #expect(try driver.step(0, [], text: "a").isDone)
    #expect(try driver.step(1, [], text: "a").messages.map(\.content) == ["1 left"])
    #expect(try driver.close(0) == 1)
    #expect(try driver.close(1) == 0)
  }
}
