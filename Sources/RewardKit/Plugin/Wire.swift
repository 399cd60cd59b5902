// The line protocol between grpo and a reward plugin, version 1 (docs/rewards.md).
//
//   → {"grpo":1,"hello":{"columns":[…]|null,"data":str,"parameters":{…},"batch":1}}
//   ← {"grpo":1,"name":str,"scope":"completion"|"group"|"step"="completion","deterministic":bool=false,
//      "range":[lo,hi]?,"batch":int=1,"reads":[…]?}
//   → {"id":int,"group":int,"prompt":…,"completion":…,"completion_ids":[int],"finish":…,"columns":{…},
//      "trainer_state":{…}?}
//   ← {"id":int,"score":number,"parts":{…}?,"steps":[…]?,"reason":str?,"metrics":{…}?,"log":{…}?}
//   ← {"id":int,"unscorable":str}  or  {"id":int,"error":str}
//
// A call of group or step scope is one line: the array of its requests, in order.
import Rollouts

/// The version of the line protocol.
public let rewardProtocolVersion = 1

/// What a plugin says of itself before the first request.
public struct RewardGreeting: Sendable, Equatable {
  /// The plugin's own name.
  public var name: String
  /// What it must see in one call.
  public var scope = RewardScope.completion
  /// Whether equal requests get equal replies, whatever the trainer's state; only then are scores remembered.
  public var isDeterministic = false
  /// The least and greatest score.
  public var range: ClosedRange<Double>?
  /// The most requests that it takes on one line in completion scope; the others are never cut.
  public var batch = 1
  /// The columns that it reads; nil where it wants all.
  public var reads: [String]?
  /// What its scores depend on besides itself, for the run's record: a library with its version.
  public var version: String?

  /// Makes a greeting.
  public init(name: String) { self.name = name }

  /// Reads a greeting; the error is a clause about the plugin.
  init(parsing line: some Sequence<UInt8>) throws(WireFault) {
    let value = try WireFault.parse(line, "greeting")
    guard let version = value["grpo"] else {
      throw WireFault("sent no greeting: \(WireFault.excerpt(value.jsonText)) has no \"grpo\"")
    }
    guard version.integer == rewardProtocolVersion else {
      throw WireFault(
        "speaks version \(version.jsonText) of the reward protocol; this grpo speaks "
          + "\(rewardProtocolVersion): bring the plugin or grpo up to date")
    }
    guard let name = value["name"]?.string, !name.isEmpty else {
      throw WireFault("sent a greeting without a \"name\"")
    }
    self.init(name: name)
    if let scope = value["scope"], !scope.isNull {
      guard let known = scope.string.flatMap(RewardScope.init) else {
        let names = RewardScope.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        throw WireFault("greets with the scope \(scope.jsonText), expected one of \(names)")
      }
      self.scope = known
    }
    if let flag = value["deterministic"], !flag.isNull {
      guard let flag = flag.bool else {
        throw WireFault("greets with a \"deterministic\" that is neither true nor false")
      }
      isDeterministic = flag
    }
    if let bounds = value["range"], !bounds.isNull {
      guard let list = bounds.array?.compactMap(\.double), list.count == 2, list[0] <= list[1],
        list[0].isFinite, list[1].isFinite
      else {
        throw WireFault("greets with the range \(bounds.jsonText), expected [least, greatest]")
      }
      range = list[0]...list[1]
    }
    if let batch = value["batch"], !batch.isNull {
      guard let count = batch.integer, count >= 1 else {
        throw WireFault("greets with the batch \(batch.jsonText), expected a number from 1")
      }
      self.batch = count
    }
    if let reads = value["reads"], !reads.isNull {
      guard let list = reads.array, list.allSatisfy({ $0.string != nil }) else {
        throw WireFault("greets with \"reads\" that is not a list of columns")
      }
      self.reads = list.compactMap(\.string)
    }
    self.version = value["version"]?.string
  }

  /// The greeting as a line of the protocol, without the line's end.
  public var line: String {
    var object: JSONObject = [
      "grpo": .integer(Int64(rewardProtocolVersion)), "name": .string(name),
      "scope": .string(scope.rawValue), "deterministic": .bool(isDeterministic),
      "batch": .integer(Int64(batch)),
    ]
    if let range { object["range"] = [.number(range.lowerBound), .number(range.upperBound)] }
    if let reads { object["reads"] = .array(reads.map { .string($0) }) }
    if let version { object["version"] = .string(version) }
    return JSONValue.object(object).jsonText
  }
}

/// What is wrong with a line of the protocol: a clause whose subject is the plugin.
package struct WireFault: Error, Equatable, CustomStringConvertible {
  let clause: String

  /// The clause.
  package var description: String { clause }

  init(_ clause: String) { self.clause = clause }

  static func parse(_ line: some Sequence<UInt8>, _ what: String) throws(WireFault) -> JSONValue {
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue.parse(bytes: line) } catch {
      let text = excerpt(String(decoding: Array(line.prefix(400)), as: UTF8.self))
      throw WireFault(
        "wrote a line that is no JSON where a \(what) was expected: \(text) (\(error); print to "
          + "standard error instead)")
    }
    guard value.object != nil else {
      throw WireFault("wrote \(excerpt(value.jsonText)) where a \(what) was expected")
    }
    return value
  }

  /// The beginning of a text, for messages.
  static func excerpt(_ text: String) -> String {
    let short = text.prefix(120)
    return short.count < text.count ? "\(short)…" : String(short)
  }
}

/// A plugin's reply to one request.
struct WireReply: Equatable {
  var id: Int
  var scoring: Scoring

  /// Reads a reply, whose score is not yet checked against the completion.
  init(parsing line: some Sequence<UInt8>) throws(WireFault) {
    let value = try WireFault.parse(line, "reply")
    guard let id = value["id"] else {
      throw WireFault("wrote a reply without an \"id\": \(WireFault.excerpt(value.jsonText))")
    }
    guard let number = id.integer else {
      throw WireFault("wrote a reply whose \"id\" is \(WireFault.excerpt(id.jsonText))")
    }
    self.id = number
    scoring = Self.scoring(value)
  }

  private static func scoring(_ value: JSONValue) -> Scoring {
    if let reason = statement("unscorable", in: value) { return .unscorable(reason: reason) }
    if let error = statement("error", in: value) { return .failed(error: error) }
    guard let number = value["score"] else {
      return .failed(error: "the reply has neither score, unscorable nor error")
    }
    guard let number = number.double else {
      return .failed(
        error: "the score is \(WireFault.excerpt(number.jsonText)), which is not a number")
    }
    var score = Score(number)
    if let parts = value["parts"], !parts.isNull {
      guard let members = parts.object else {
        return .failed(error: "the reply's parts are not an object")
      }
      for (name, part) in members {
        guard let part = part.double else {
          return .failed(
            error: "the part \"\(WireFault.excerpt(name))\" is "
              + "\(WireFault.excerpt(part.jsonText)), which is not a number")
        }
        score.parts[name] = part
      }
    }
    if let steps = value["steps"], !steps.isNull {
      guard let list = steps.array else {
        return .failed(error: "the reply's steps are not a list")
      }
      for (index, step) in list.enumerated() {
        guard let end = step["end"]?.integer, let number = step["score"]?.double else {
          return .failed(error: "step \(index) of the reply lacks a whole \"end\" or a \"score\"")
        }
        score.steps.append(StepScore(end: end, score: number))
      }
    }
    if let log = value["log"], !log.isNull {
      score.log = log.object ?? ["log": log]
    }
    if let reason = value["reason"], !reason.isNull {
      score.reason = reason.string ?? reason.jsonText
    }
    if let metrics = value["metrics"], !metrics.isNull {
      guard let members = metrics.object, members.allSatisfy({ $0.value.double != nil }) else {
        return .failed(error: "the reply's metrics are not an object of numbers")
      }
      if !members.isEmpty { score.log[Score.metricsKey] = metrics }
    }
    return .scored(score)
  }

  /// Why there is no score, where a member of a reply says that there is none.
  ///
  /// `false`, `null`, and an empty text beside a score say nothing.
  private static func statement(_ key: String, in value: JSONValue) -> String? {
    guard let member = value[key], !member.isNull, member.bool != false else { return nil }
    let text =
      member.bool == true ? value["reason"]?.string ?? "" : member.string ?? member.jsonText
    if !text.isEmpty { return text }
    if member.bool == nil, value["score"] != nil { return nil }
    return "the plugin gives no reason"
  }

  /// The reply as a line of the protocol, without the line's end.
  static func line(id: Int, _ scoring: Scoring) -> String {
    var object: JSONObject = ["id": .integer(Int64(id))]
    switch scoring {
    case .unscorable(let reason): object["unscorable"] = .string(reason)
    case .failed(let error): object["error"] = .string(error)
    case .scored(let score):
      object["score"] = .number(score.value)
      if !score.parts.isEmpty {
        object["parts"] = .object(JSONObject(sorting: score.parts.mapValues { .number($0) }))
      }
      if !score.steps.isEmpty {
        object["steps"] = .array(
          score.steps.map { ["end": .integer(Int64($0.end)), "score": .number($0.score)] })
      }
      if !score.log.isEmpty { object["log"] = .object(score.log) }
      if let reason = score.reason { object["reason"] = .string(reason) }
    }
    return JSONValue.object(object).jsonText
  }
}

extension Score {
  /// The member of `log` that holds a reply's `metrics`.
  static let metricsKey = "metrics"

  /// What a reward wants among the metrics of the step, by name.
  public var metrics: [String: Double] {
    (log[Self.metricsKey]?.object?.dictionary ?? [:]).compactMapValues(\.double)
      .filter(\.value.isFinite)
  }
}
