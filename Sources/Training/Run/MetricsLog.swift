import Foundation
import Rollouts
import TrajectoryStore
import Transformer

/// `metrics.jsonl`: one line per step, and one per evaluation, in order; the same numbers in `tensorboard/`.
///
/// Everything but members under `time/` is a function of the run's inputs. After a resume the file is
/// cut back to the step that training continues from, so that no step stands twice; the evaluation
/// after that step goes too, since the run may have stopped before or after it.
final class MetricsLog {
  /// Whether the lines before that step are there, as far as the last of them tells.
  let isWhole: Bool
  private let url: URL
  private let restored: (String) -> Void
  private var handle: FileHandle
  private let tensorBoard: TensorBoardFile?

  /// Opens the file, cut back to lines whose step is at most `step`.
  ///
  /// - Parameters:
  ///   - url: The file of lines.
  ///   - tensorBoard: The folder of TensorBoard's files; nil where none are wanted.
  ///   - step: The step that training continues from; −1 for a run from its beginning.
  ///   - restored: Told, as a sentence, that the file was gone and is there again.
  init(
    _ url: URL, tensorBoard: URL? = nil, keepingStepsThrough step: Int,
    restored: @escaping (String) -> Void = { _ in }
  ) throws {
    self.url = url
    self.restored = restored
    let lines = Self.lines(of: url, through: step)
    let kept = lines.map { $0 + "\n" }.joined()
    try AtomicFile.write(kept, to: url)
    let last = lines.last.flatMap { try? JSONValue.parse($0) }
    isWhole = step <= 0 || last?["step"]?.integer == step
    handle = try Self.open(url)
    self.tensorBoard = try tensorBoard.map { folder throws(StoreError) in
      try Self.tensorBoard(in: folder, from: max(0, step), lastLine: lines.last)
    }
  }

  /// Opens the metrics of a run that goes on after a step, or begins with 0.
  convenience init(
    of folder: RunFolder, hasTensorBoard: Bool, after step: Int, _ observer: TrainingObserver
  ) throws {
    try self.init(
      folder.metrics, tensorBoard: hasTensorBoard ? folder.tensorboard : nil,
      keepingStepsThrough: step == 0 ? -1 : step,
      restored: { observer.observe(.warning($0)) })
    guard !isWhole, FileManager.default.fileExists(atPath: folder.log.path) else { return }
    observer.observe(
      .warning(
        "metrics.jsonl lacks lines before step \(step + 1); the log has their numbers: "
          + "grpo query \(folder.displayPath) steps"))
  }

  /// A new file beside those of the run's earlier starts, which makes TensorBoard forget what they say
  /// of `step` and later ones; what stays of `step` is said again.
  private static func tensorBoard(
    in folder: URL, from step: Int, lastLine: String?
  ) throws(StoreError) -> TensorBoardFile {
    let isContinued = FileManager.default.fileExists(atPath: folder.path)
    let file = try TensorBoardFile(folder: folder, purgingFrom: isContinued ? step : nil)
    if isContinued, let lastLine, let line = (try? JSONValue.parse(lastLine))?.object,
      line["step"]?.integer == step
    {
      let scalars = line.compactMap { name, value in value.double.map { (name, $0) } }
        .filter { $0.0 != "step" }
      try file.append(step: step, scalars: tags(Dictionary(scalars) { first, _ in first }))
    }
    return file
  }

  private static func lines(of url: URL, through step: Int) -> [String] {
    guard step >= 0, let data = RegularFile.bytes(at: url),
      let text = String(data: data, encoding: .utf8)
    else { return [] }
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

  private static func open(_ url: URL) throws -> FileHandle {
    let handle = try FileHandle(forUpdating: url)
    try handle.seekToEnd()
    return handle
  }

  /// Puts the file back where it was deleted or moved while the run wrote it: what was written to it is still
  /// there for whoever holds it open.
  private func restoreIfGone() throws {
    var (held, named) = (stat(), stat())
    guard fstat(handle.fileDescriptor, &held) == 0,
      stat(url.path, &named) != 0 || (named.st_dev, named.st_ino) != (held.st_dev, held.st_ino)
    else { return }
    try handle.seek(toOffset: 0)
    try AtomicFile.write(try handle.readToEnd() ?? Data(), to: url)
    try handle.close()
    handle = try Self.open(url)
    restored(
      "\(url.path) was deleted, moved or replaced while the run wrote it; it is written again whole"
    )
  }

  /// Appends a line: the step, then the metrics by name.
  func append(step: Int, _ metrics: [String: Double]) throws {
    try restoreIfGone()
    var object: JSONObject = ["step": .integer(Int64(step))]
    for name in metrics.keys.sorted() { object[name] = metrics[name].map(JSONValue.number) }
    try handle.write(contentsOf: Data((JSONValue.object(object).jsonText + "\n").utf8))
    try tensorBoard?.append(step: step, scalars: Self.tags(metrics))
  }

  /// The metrics under TRL's names in TensorBoard: `eval_x` is `eval/x` there and `x` is `train/x`; times
  /// keep theirs.
  private static func tags(_ metrics: [String: Double]) -> [String: Double] {
    Dictionary(
      uniqueKeysWithValues: metrics.map { name, value in
        if name.hasPrefix("time/") { return (name, value) }
        let isEvaluation = name.hasPrefix("eval_")
        return (isEvaluation ? "eval/" + name.dropFirst(5) : "train/" + name, value)
      })
  }

  /// Makes what was written durable.
  func synchronize() throws { try handle.synchronize() }

  deinit { try? handle.close() }
}
