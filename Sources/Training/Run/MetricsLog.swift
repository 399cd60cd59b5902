import Foundation
import Rollouts
import Transformer

/// `metrics.jsonl`: one line a step, and one an evaluation, in order.
///
/// Everything but members under `time/` is a function of the run's inputs. After a resume the file is
/// cut back to the step that training continues from, so that no step stands twice; the evaluation
/// after that step goes too, since the run may have stopped before or after it.
final class MetricsLog {
  private let url: URL
  private let handle: FileHandle

  /// Opens the file, cut back to lines whose step is at most `step`.
  init(_ url: URL, keepingStepsThrough step: Int) throws {
    self.url = url
    let lines = Self.lines(of: url, through: step)
    let kept = lines.map { $0 + "\n" }.joined()
    try AtomicFile.write(kept, to: url)
    handle = try FileHandle(forWritingTo: url)
    try handle.seekToEnd()
  }

  private static func lines(of url: URL, through step: Int) -> [String] {
    guard step >= 0, let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
    var kept: [String] = []
    for line in text.split(separator: "\n") {
      // A torn last line is no JSON: it goes with what follows.
      guard let value = try? JSONValue.parse(String(line)), let at = value["step"]?.integer,
        at < step || at == step && !isEvaluation(value)
      else { break }
      kept.append(String(line))
    }
    return kept
  }

  /// The lines of a file, as far as they are whole.
  static func lines(of url: URL) -> [JSONObject] {
    lines(of: url, through: .max).compactMap { (try? JSONValue.parse($0))?.object }
  }

  private static func isEvaluation(_ line: JSONValue) -> Bool {
    line.object?.keys.contains { $0.hasPrefix("eval_") } ?? false
  }

  /// Appends a line: the step, then the metrics by name.
  func append(step: Int, _ metrics: [String: Double]) throws {
    var object: JSONObject = ["step": .integer(Int64(step))]
    for name in metrics.keys.sorted() { object[name] = metrics[name].map(JSONValue.number) }
    try handle.write(contentsOf: Data((JSONValue.object(object).jsonText + "\n").utf8))
  }

  /// Makes what was written durable.
  func synchronize() throws { try handle.synchronize() }

  deinit { try? handle.close() }
}
