// A scorer over HTTP, as a plugin in a process of its own, so that grpo itself links no networking.
//
//   mode "batch":  POST {"prompts": […], "completions": […], "columns": […]}
//                  → {"scores": [number | null, …]}, {"rewards": […]} or the list alone;
//                  with scope "group" or "step" one POST for each, with "groups" and "trainer_state"
//   mode "judge":  POST an OpenAI-compatible chat completion for each completion;
//                  r = (last number of the reply) / scale, in [0, 1]
import Foundation
import RewardKit

@main enum HTTPReward {
  static let parameters = [
    RewardParameter("url", .text, default: nil, "where to post: http://…"),
    RewardParameter("mode", .choice(["batch", "judge"]), default: "batch", "what is posted"),
    RewardParameter("model", .text, default: "", "the judge's model"),
    RewardParameter(
      "template", .text,
      default: """
        Question:
        {prompt}

        Answer:
        {completion}

        Rate the answer from 0 to 10. End with the number alone.
        """, "what the judge is asked: {prompt}, {completion} and {column} are filled in"),
    RewardParameter("system", .text, default: "", "the judge's system message"),
    RewardParameter("scale", .number(1e-9...1e9), default: 10.0, "the judge's greatest number"),
    RewardParameter("header", .text, default: "Authorization", "the header of the secret"),
    RewardParameter(
      "secret", .text, default: "",
      "the environment's variable that holds the header's value (name it in environment too)"),
    RewardParameter("bearer", .flag, default: true, "whether \"Bearer \" goes before the secret"),
    RewardParameter("timeout", .number(0.1...3600), default: 30.0, "seconds for one exchange"),
    RewardParameter("retries", .integer(0...20), default: 4, "repeats after a fault that may pass"),
    RewardParameter(
      "scope", .choice(RewardScope.allCases.map(\.rawValue)), default: "completion",
      "what one post must hold in mode batch: completions as they end, a whole group, a whole step"),
    RewardParameter(
      "batch", .integer(1...4096), default: 32, "completions posted together in scope completion"),
    RewardParameter("parallel", .integer(1...256), default: 8, "the judge's exchanges at one time"),
  ]

  static func main() {
    PluginLoop.run { settings in
      let settings = try RewardParameters(settings, declared: parameters)
      let exchange = try Exchange(settings)
      // A model elsewhere may change its mind: that equal requests get equal scores is not promised.
      var greeting = RewardGreeting(name: "http")
      greeting.scope = RewardScope(rawValue: settings.text("scope")) ?? .completion
      greeting.batch = settings.integer("batch")
      if settings.text("mode") == "judge" {
        guard greeting.scope == .completion else {
          throw RewardParameterError([
            "mode \"judge\" asks about each completion by itself and cannot be combined with scope "
              + "\"\(greeting.scope.rawValue)\""
          ])
        }
        let judge = Judge(exchange: exchange, settings: settings)
        return (greeting, { judge.scorings(of: $0) })
      }
      guard greeting.scope == .completion else {
        return (greeting, { batchScorings(of: $0, exchange, isWhole: true) })
      }
      return (greeting, { batchScorings(of: $0, exchange) })
    }
  }

  /// Posts completions together.
  /// - Parameter isWhole: Whether they are a whole group or step, whose parts the service is told.
  private static func batchScorings(
    of requests: [ReceivedRequest], _ exchange: Exchange, isWhole: Bool = false
  ) -> [Scoring] {
    var body: JSONObject = [
      "prompts": .array(requests.map { .string($0.problem.prompt.text) }),
      "completions": .array(requests.map { .string($0.completion.text) }),
      "columns": .array(requests.map { .object($0.problem.columns) }),
    ]
    if isWhole {
      body["groups"] = .array(requests.map { .integer(Int64($0.group)) })
      body["trainer_state"] = requests.first?.trainerState?.json
    }
    switch exchange.post(.object(body)) {
    case .failure(let fault):
      return requests.map { _ in .failed(error: fault.sentence) }
    case .success(let reply):
      let list = reply["scores"]?.array ?? reply["rewards"]?.array ?? reply.array
      guard let list, list.count == requests.count else {
        return requests.map { _ in
          .failed(error: "the server's reply holds no list of \(requests.count) scores")
        }
      }
      return list.map { value in
        if value.isNull { return .unscorable(reason: "the server says null") }
        guard let number = value.double else {
          return .failed(error: "the server's score is \(value.jsonText.prefix(80)), no number")
        }
        return .scored(Score(number))
      }
    }
  }
}

/// A model that is asked for a number.
struct Judge: Sendable {
  let exchange: Exchange
  let model: String
  let template: String
  let system: String
  let scale: Double
  let parallel: Int

  init(exchange: Exchange, settings: RewardParameters) {
    self.exchange = exchange
    model = settings.text("model")
    template = settings.text("template")
    system = settings.text("system")
    scale = settings.number("scale")
    parallel = settings.integer("parallel")
  }

  /// Judges completions, some at one time; in their order.
  func scorings(of requests: [ReceivedRequest]) -> [Scoring] {
    let results = Results(count: requests.count)
    let lanes = min(parallel, requests.count)
    DispatchQueue.concurrentPerform(iterations: lanes) { lane in
      for index in stride(from: lane, to: requests.count, by: lanes) {
        results.set(index, scoring(of: requests[index]))
      }
    }
    return results.all
  }

  private func scoring(of request: ReceivedRequest) -> Scoring {
    var messages: [JSONValue] = []
    if !system.isEmpty { messages.append(["role": "system", "content": .string(system)]) }
    messages.append(["role": "user", "content": .string(question(about: request))])
    let body: JSONValue = [
      "model": .string(model), "messages": .array(messages), "temperature": 0,
    ]
    switch exchange.post(body) {
    case .failure(let fault): return .failed(error: fault.sentence)
    case .success(let reply):
      guard let text = reply["choices"]?.array?.first?["message"]?["content"]?.string else {
        return .failed(error: "the judge's reply has no choices[0].message.content")
      }
      let numbers = text.split { !"0123456789.-".contains($0) }.compactMap { Double($0) }
      guard let number = numbers.last, number >= 0, number <= scale else {
        return .unscorable(
          reason: "the judge gave no number from 0 to \(scale): \(text.suffix(80))")
      }
      return .scored(Score(number / scale, log: ["judge": .string(String(text.suffix(2000)))]))
    }
  }

  /// The template with its fields filled in, in one pass: what is filled in isn't looked into.
  private func question(about request: ReceivedRequest) -> String {
    var result = ""
    var rest = template[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      result += rest[..<open]
      let name = String(rest[rest.index(after: open)..<close])
      switch name {
      case "prompt": result += request.problem.prompt.text
      case "completion": result += request.completion.text
      default: result += request.problem.columns[name]?.plainText ?? "{\(name)}"
      }
      rest = rest[rest.index(after: close)...]
    }
    return result + rest
  }
}

/// Scorings filled in from several threads.
private final class Results: @unchecked Sendable {
  // Every access holds the lock.
  private var scorings: [Scoring]
  private let lock = NSLock()

  init(count: Int) {
    scorings = [Scoring](repeating: .failed(error: "not judged"), count: count)
  }

  func set(_ index: Int, _ scoring: Scoring) {
    lock.withLock { scorings[index] = scoring }
  }

  var all: [Scoring] { lock.withLock { scorings } }
}

extension Prompt {
  /// The prompt as a text, a conversation as its messages' contents.
  fileprivate var text: String {
    switch self {
    case .text(let text): return text
    case .messages(let messages): return messages.map(\.content).joined(separator: "\n\n")
    }
  }
}
