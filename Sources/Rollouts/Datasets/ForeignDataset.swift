import Foundation

/// Data in a form that the user's Python reads for us: Parquet, Arrow, and what gzip or zstd compressed.
///
/// It is converted once, into a cache whose files are named by the hash of what they were made of, so that a
/// source that changes is converted again.
struct ForeignDataset {
  /// A form by its first bytes or its name.
  enum Form: String {
    case parquet
    case arrow
    case gzip
    case zstd

    init?(of path: String, beginning: [UInt8]) {
      let name = path.lowercased()
      if beginning.starts(with: Array("PAR1".utf8)) || name.hasSuffix(".parquet") {
        self = .parquet
      } else if beginning.starts(with: Array("ARROW1".utf8)) || name.hasSuffix(".arrow") {
        self = .arrow
      } else if beginning.starts(with: [0x1F, 0x8B]) {
        self = .gzip
      } else if beginning.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
        self = .zstd
      } else {
        return nil
      }
    }

    /// What the file is, after "is".
    var name: String {
      switch self {
      case .parquet: "Parquet"
      case .arrow: "an Arrow file"
      case .gzip, .zstd: "compressed"
      }
    }

    /// The line that converts a file by hand.
    func remedy(_ path: String) -> String {
      let lines = (path as NSString).deletingPathExtension + ".jsonl"
      switch self {
      case .parquet:
        return "python3 -c \"import pandas; pandas.read_parquet('\(path)')"
          + ".to_json('\(lines)', orient='records', lines=True)\""
      case .arrow:
        return "python3 -c \"import datasets; datasets.Dataset.from_file('\(path)')"
          + ".to_json('\(lines)')\""
      case .gzip: return "gunzip --keep '\(path)'"
      case .zstd: return "zstd --decompress '\(path)'"
      }
    }
  }

  /// What the user named, for messages.
  let name: String
  /// The files, of one form, in order.
  let files: [String]
  let form: Form
  let environment: [String: String]

  /// Raised whenever the converter gives other lines for the same source.
  private static let version = 1

  /// The path of a readable copy, converted where the cache has none.
  /// - Throws: `DatasetError` with what is missing and the line that converts by hand.
  func converted() throws(DatasetError) -> String {
    guard let cache = cacheFolder else {
      throw refusal("there is no folder for the converted copy (HOME is not set)")
    }
    let target = cache + "/" + (try key()) + suffix
    if FileManager.default.fileExists(atPath: target) { return target }
    guard let python = PythonInterpreter.find(environment: environment) else {
      throw refusal("there is no python3 in the PATH that could convert it")
    }
    let partial = "\(target).partial.\(ProcessInfo.processInfo.processIdentifier)"
    defer { try? FileManager.default.removeItem(atPath: partial) }
    do {
      try FileManager.default.createDirectory(
        atPath: cache, withIntermediateDirectories: true)
    } catch {
      throw refusal("the folder for the converted copy, \(cache), can't be made")
    }
    let (status, words) = run(python, ["-c", Self.script, partial, form.rawValue] + files)
    switch status {
    case 0: break
    case 3: throw refusal("\(python) has none of the modules that read it (\(words))")
    default: throw refusal("\(python) could not convert it: \(words)")
    }
    guard rename(partial, target) == 0 else {
      throw refusal("the converted copy, \(target), can't be written")
    }
    return target
  }

  private static let script = String(decoding: PackageResources.convert_rows_py, as: UTF8.self)

  private func refusal(_ reason: String) -> DatasetError {
    DatasetError(
      path: name,
      reason: "is \(form.name), and \(reason); convert it by: \(form.remedy(files[0]))")
  }

  /// What the copy is named by: the converter, the form, and the bytes of each file.
  private func key() throws(DatasetError) -> String {
    var text = "\(Self.version) \(form.rawValue)"
    for file in files {
      do throws(FileReadError) {
        text += " " + (try SHA256.digest(ofFile: file)).hexadecimal
      } catch { throw DatasetError(path: name, reason: error.reason) }
    }
    return SHA256.digest(of: text).hexadecimal
  }

  /// The copy's suffix: a compressed file keeps the one it had before.
  private var suffix: String {
    guard form == .gzip || form == .zstd else { return ".jsonl" }
    let inner = ((files[0] as NSString).deletingPathExtension as NSString).pathExtension
    return ["csv", "tsv", "json"].contains(inner.lowercased()) ? ".\(inner.lowercased())" : ".jsonl"
  }

  private var cacheFolder: String? {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    return (value("XDG_CACHE_HOME") ?? value("HOME").map { $0 + "/.cache" })
      .map { $0 + "/grpo/datasets" }
  }

  /// Runs Python; how it ended, and the last of what it said.
  private func run(_ python: String, _ arguments: [String]) -> (status: Int32, words: String) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = arguments
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = pipe
    do { try process.run() } catch { return (127, "it can't be run") }
    var tail: [UInt8] = []
    while let piece = try? pipe.fileHandleForReading.read(upToCount: 4096), !piece.isEmpty {
      tail = (tail + Array(piece)).suffix(4096)
    }
    process.waitUntilExit()
    let lines = String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline)
    let words = String((lines.last ?? "").prefix(300))
    let shown = words.unicodeScalars.map {
      $0.properties.generalCategory == .control ? " " : String($0)
    }
    return (process.terminationStatus, shown.joined())
  }
}
