// JSON of a given shape:
//
//   r = [ the completion is one JSON value of the shape ]      (`partial`: share of the demands met)
//
// A shape is an example whose leaves name types: {"name": "string", "age?": "integer",
// "tags": ["string"], "kind": {"enum": ["a", "b"]}}. Types: string, number, integer, boolean, null,
// any, and alternatives such as "string|null". A key that ends in ? may be absent; other keys are
// allowed unless `closed`.
import RewardKit

/// Rewards JSON of a given shape.
public struct JSONShapeReward: BuiltInReward {
  public static let about = BuiltInDescription(
    name: "json_shape", summary: "1 where the completion is JSON of a shape, else 0",
    category: .form,
    parameters: [
      RewardParameter("shape", .value, default: nil, "an example whose leaves name types"),
      RewardParameter("closed", .flag, default: false, "whether unknown keys are wrong"),
      RewardParameter("partial", .flag, default: false, "whether the share of demands met counts"),
      RewardParameter(
        "fenced", .flag, default: true, "whether one ```json … ``` block in a text is taken"),
    ])

  private let shape: Shape
  private let isPartial: Bool
  private let isClosed: Bool
  private let takesFenced: Bool

  public init(parameters: RewardParameters) throws(RewardParameterError) {
    shape = try Shape(parameters.value("shape"), at: "shape")
    isPartial = parameters.flag("partial")
    isClosed = parameters.flag("closed")
    takesFenced = parameters.flag("fenced")
  }

  public var range: ClosedRange<Double>? { 0...1 }

  public func score(_ completion: Completion, for problem: Problem) -> Score {
    guard let value = try? JSONValue.parse(text(in: completion.text)) else { return Score(0) }
    var demands = (met: 0, all: 0)
    shape.check(value, isClosed: isClosed, &demands)
    let share = demands.all == 0 ? 1 : Double(demands.met) / Double(demands.all)
    return Score(isPartial ? share : (demands.met == demands.all ? 1 : 0), parts: ["share": share])
  }

  public func goldCompletion(for problem: Problem) -> String? { shape.example.jsonText }

  private func text(in completion: String) -> String {
    let fences = takesFenced ? completion.places(of: "```") : []
    guard fences.count == 2 else { return completion }
    let block = completion[fences[0].upperBound..<fences[1].lowerBound]
    return String(block.hasPrefix("json") ? block.dropFirst(4) : block)
  }
}

/// What a value must be.
private indirect enum Shape: Sendable {
  case types([String])
  case choice([JSONValue])
  case list(Shape?)
  case object([(key: String, isOptional: Bool, shape: Shape)])

  static let names = ["string", "number", "integer", "boolean", "null", "any"]

  init(_ value: JSONValue, at place: String, depth: Int = 0) throws(RewardParameterError) {
    guard depth < 64 else { throw RewardParameterError(["\(place) is nested too deep"]) }
    switch value {
    case .string(let text):
      let types = text.split(separator: "|").map { $0.trimmed() }
      for type in types where !Self.names.contains(type) {
        throw RewardParameterError([
          "\(place) names the type \"\(type)\"; known: \(Self.names.joined(separator: ", "))"
        ])
      }
      self = .types(types)
    case .array(let elements):
      guard elements.count <= 1 else {
        throw RewardParameterError(["\(place): a list's shape has one element, for all of them"])
      }
      if let element = elements.first {
        self = .list(try Shape(element, at: "\(place)[0]", depth: depth + 1))
      } else {
        self = .list(nil)
      }
    case .object(let members):
      if members.count == 1, let choices = members["enum"]?.array {
        self = .choice(choices)
        return
      }
      var shapes: [(key: String, isOptional: Bool, shape: Shape)] = []
      for (key, member) in members {
        let isOptional = key.hasSuffix("?")
        let shape = try Shape(member, at: "\(place).\(key)", depth: depth + 1)
        shapes.append((isOptional ? String(key.dropLast()) : key, isOptional, shape))
      }
      self = .object(shapes)
    default:
      throw RewardParameterError(["\(place) is \(value.jsonText), expected a type's name"])
    }
  }

  /// Counts the demands of the shape and those that the value meets.
  func check(_ value: JSONValue, isClosed: Bool, _ demands: inout (met: Int, all: Int)) {
    demands.all += 1
    switch self {
    case .types(let types): if types.contains(where: { Self.is(value, $0) }) { demands.met += 1 }
    case .choice(let choices): if choices.contains(value) { demands.met += 1 }
    case .list(let element):
      guard let list = value.array else { return }
      demands.met += 1
      guard let element else { return }
      for item in list { element.check(item, isClosed: isClosed, &demands) }
    case .object(let members):
      let object = value.object
      let known = Set(members.map(\.key))
      let hasStrangers = object?.keys.contains { !known.contains($0) } ?? false
      if object != nil, !(isClosed && hasStrangers) { demands.met += 1 }
      for member in members {
        if let value = object?[member.key] {
          member.shape.check(value, isClosed: isClosed, &demands)
        } else if !member.isOptional {
          demands.all += 1
        }
      }
    }
  }

  private static func `is`(_ value: JSONValue, _ type: String) -> Bool {
    switch type {
    case "string": return value.string != nil
    case "number": return value.double != nil
    case "integer": return value.integer != nil
    case "boolean": return value.bool != nil
    case "null": return value.isNull
    default: return true
    }
  }

  /// A value of the shape.
  var example: JSONValue {
    switch self {
    case .types(let types):
      switch types.first {
      case "string": return "x"
      case "number", "integer": return 1
      case "boolean": return true
      default: return .null
      }
    case .choice(let choices): return choices.first ?? .null
    case .list(let element): return element.map { [$0.example] } ?? []
    case .object(let members):
      return .object(JSONObject(members.map { ($0.key, $0.shape.example) }))
    }
  }
}
