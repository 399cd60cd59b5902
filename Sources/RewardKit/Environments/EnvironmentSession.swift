import Rollouts

/// What a session is asked.
enum EnvironmentRequest: Sendable {
  case reset(Problem)
  case step(AssistantTurn, text: String)
  case close

  /// The request as a member of a line.
  var member: (key: String, value: JSONValue) {
    switch self {
    case .reset(let problem):
      ("reset", ["prompt": problem.prompt.json, "columns": .object(problem.columns)])
    case .step(let turn, let text): ("step", turn.wire(text: text))
    case .close: ("close", [:])
    }
  }

  /// What a reply to the request says.
  func event(_ reply: JSONValue) throws(WireFault) -> EnvironmentHost.Event {
    switch self {
    case .reset: .opened(try EnvironmentOpening(reply))
    case .step: .stepped(try Observation(reply))
    case .close: .closed(try Observation.number(reply["reward"], "reward"))
    }
  }
}

/// A trajectory at the environment's side, confined to the host's thread.
///
/// What was asked and answered is kept: where the process that held the session is lost through no fault of the
/// session's, another one is asked the same again, and must answer the same.
final class EnvironmentSession {
  let id: Int
  private(set) var requests: [EnvironmentRequest] = []
  private var replies: [JSONValue] = []
  /// How many of the requests the session's present process has answered.
  private(set) var answered = 0
  var process: EnvironmentProcess?
  /// Whether a request is with the process.
  var isAsked = false
  var deadline = Double.infinity
  /// How many processes ended with a request of this session in hand.
  var strikes = 0

  init(id: Int) { self.id = id }

  /// The request to send next; nil where all are answered.
  var next: EnvironmentRequest? { requests.indices.contains(answered) ? requests[answered] : nil }
  /// Whether what is asked now was answered before, by a process that is gone.
  var isReplaying: Bool { answered < replies.count }
  /// Whether the session ends with the request under way.
  var isClosing: Bool { if case .close = next { true } else { false } }

  func append(_ request: EnvironmentRequest) { requests.append(request) }

  /// Takes a reply to the request under way; nil where it is one that was there before.
  func take(_ reply: JSONValue) throws(WireFault) -> EnvironmentHost.Event? {
    guard let request = next else { return nil }
    var contents = reply.object ?? [:]
    contents["id"] = nil
    isAsked = false
    defer { answered += 1 }
    if isReplaying {
      guard replies[answered] == .object(contents) else {
        throw WireFault(
          "was asked again after its process was lost, and answered otherwise: what was lost is gone"
        )
      }
      return nil
    }
    let event = try request.event(reply)
    replies.append(.object(contents))
    return event
  }

  /// Forgets the process: the next one is asked everything anew.
  func detach() {
    process = nil
    isAsked = false
    answered = 0
    deadline = .infinity
  }
}

/// One process of an environment, with the sessions that it holds.
final class EnvironmentProcess {
  let worker: Worker
  /// Whether it serves one session alone, which was there when another process ended.
  let isQuarantine: Bool
  var isGreeted = false
  var sessions: Set<Int> = []
  /// Sessions by the id of the request that is with the process; nil for one whose answer nobody awaits.
  var asked: [Int: Int?] = [:]

  init(_ worker: Worker, isQuarantine: Bool) {
    self.worker = worker
    self.isQuarantine = isQuarantine
  }
}
