import Foundation

/// The files of one part of a data set: a file of its own, a folder, or a data set of the hub's cache.
struct DatasetFiles {
  /// What messages call it.
  var name: String
  /// The files in order; several only where they are of one foreign form.
  var paths: [String]
}

/// A folder of data: `train.jsonl` and its like, shards of Parquet, or what `save_to_disk` wrote.
struct DatasetFolder {
  let path: String

  private static let readable = ["jsonl", "json", "csv", "tsv", "ndjson"]
  private static let compressed = ["gz", "zst"]
  private static let foreign = ["parquet", "arrow"]

  /// The files of a part; nil where the folder has none of it.
  /// - Parameter stems: What the part may be called, the best name first.
  func files(_ stems: [String]) throws(DatasetError) -> [String]? {
    if let saved = try savedFiles(stems) { return saved }
    let names = children
    for stem in stems {
      for suffix in Self.readable where names.contains("\(stem).\(suffix)") {
        return [path + "/\(stem).\(suffix)"]
      }
      for suffix in Self.readable {
        for packing in Self.compressed where names.contains("\(stem).\(suffix).\(packing)") {
          return [path + "/\(stem).\(suffix).\(packing)"]
        }
      }
      for suffix in Self.foreign {
        let shards = names.filter { isShard($0, of: stem, suffix) }
        if !shards.isEmpty { return shards.map { path + "/\($0)" } }
      }
      // Converted branches of the hub have a folder for each part.
      let inner = DatasetFolder(path: path + "/" + stem)
      let shards = inner.children.filter { ($0 as NSString).pathExtension == "parquet" }
      if !shards.isEmpty { return shards.map { inner.path + "/\($0)" } }
    }
    return nil
  }

  /// The folders in which a data set keeps its configurations, and this one where it has data itself.
  var configurations: [String] {
    let names = children.filter { !$0.hasPrefix(".") }
    return names.filter { name in
      let folder = DatasetFolder(path: path + "/" + name)
      let inside = folder.children
      return inside.contains { inner in
        Self.foreign.contains((inner as NSString).pathExtension)
          || Self.readable.contains((inner as NSString).pathExtension)
          || folder.hasParquet(in: inner)
      }
    }
  }

  private func hasParquet(in name: String) -> Bool {
    DatasetFolder(path: path + "/" + name).children.contains {
      ($0 as NSString).pathExtension == "parquet"
    }
  }

  /// `train.parquet`, `train-00000-of-00002.parquet`, `train_0.parquet`, `0000.parquet` in a folder of its own.
  private func isShard(_ name: String, of stem: String, _ suffix: String) -> Bool {
    guard (name as NSString).pathExtension == suffix else { return false }
    let base = (name as NSString).deletingPathExtension
    return base == stem || base.hasPrefix(stem + "-") || base.hasPrefix(stem + "_")
      || base.hasPrefix(stem + ".")
  }

  /// The Arrow files of a folder that `save_to_disk` wrote, alone or for each part.
  private func savedFiles(_ stems: [String]) throws(DatasetError) -> [String]? {
    if let parts = json("dataset_dict.json")?["splits"]?.array?.compactMap(\.string) {
      for stem in stems where parts.contains(stem) && Self.isPlain(stem) {
        return try DatasetFolder(path: path + "/" + stem).savedFiles(stems)
      }
      throw DatasetError(
        path: path,
        reason: "has the parts \(parts.joined(separator: ", ")) and none called "
          + "\(stems.joined(separator: ", ")); name the folder of a part")
    }
    guard let files = json("state.json")?["_data_files"]?.array else { return nil }
    let names = files.compactMap { $0["filename"]?.string }
    guard names.count == files.count, !names.isEmpty, names.allSatisfy(Self.isPlain) else {
      throw DatasetError(path: path, reason: "has a state.json whose list of files is damaged")
    }
    return names.map { path + "/\($0)" }
  }

  private static func isPlain(_ name: String) -> Bool {
    !name.isEmpty && !name.contains("/") && name != "." && name != ".."
  }

  private func json(_ name: String) -> JSONValue? {
    let file = path + "/" + name
    guard let size = try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int,
      size < 16 << 20, let bytes = RegularFile.bytes(at: URL(fileURLWithPath: file))
    else { return nil }
    return try? JSONValue.parse(bytes: Array(bytes))
  }

  /// The names in the folder, sorted; the first thousands where someone names a huge one by mistake.
  private var children: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return Array(names.sorted().prefix(10_000))
  }
}

/// A data set of the Hugging Face hub, `openai/gsm8k` or `openai/gsm8k:socratic`, as its tools left it in the cache.
struct HubDataset {
  let name: String
  let configuration: String?

  /// Reads a name; nil where the text isn't one.
  init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let names = parts[0].split(separator: "/", omittingEmptySubsequences: false)
    func isName(_ part: Substring) -> Bool {
      !part.isEmpty && part.utf8.count <= 96 && part.first != "." && part.first != "-"
        && part.utf8.allSatisfy { byte in
          UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
            || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
            || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || [0x2D, 0x2E, 0x5F].contains(byte)
        }
    }
    guard names.count == 2, names.allSatisfy(isName) else { return nil }
    if parts.count == 2 { guard isName(parts[1]) else { return nil } }
    name = String(parts[0])
    configuration = parts.count == 2 ? String(parts[1]) : nil
  }

  /// The files of a part; nil where the cache doesn't have the data set.
  ///
  /// Of several configurations `main` or `default` is taken; otherwise one has to be named.
  /// - Throws: `DatasetError` where there are several to choose from, or the part is not in it.
  func files(
    _ stems: [String], environment: [String: String]
  ) throws(DatasetError) -> [String]? {
    guard let snapshot = snapshot(environment) else { return nil }
    let whole = DatasetFolder(path: snapshot)
    let all = whole.configurations
    let choice: String?
    if let configuration {
      guard all.contains(configuration) else {
        throw DatasetError(
          path: name, reason: "has no configuration '\(configuration)'; it has \(Self.list(all))")
      }
      choice = configuration
    } else {
      let data = all.filter { !["train", "test", "validation"].contains($0) }
      choice =
        ["main", "default", "data"].first(where: data.contains)
        ?? (data.count == 1 ? data[0] : nil)
      if choice == nil, data.count > 1 {
        throw DatasetError(
          path: name,
          reason: "has the configurations \(Self.list(data)); name one: \(name):\(data[0])")
      }
    }
    let folder = choice.map { DatasetFolder(path: snapshot + "/" + $0) } ?? whole
    if let files = try folder.files(stems) { return files }
    throw DatasetError(
      path: name,
      reason:
        "is in the hub's cache (\(folder.path)) without files of \(stems.joined(separator: ", "))")
  }

  private static func list(_ names: [String]) -> String { names.joined(separator: ", ") }

  /// The cached folder of the newest revision that was downloaded.
  private func snapshot(_ environment: [String: String]) -> String? {
    guard let cache = Self.cacheFolder(environment) else { return nil }
    let folder = cache + "/datasets--" + name.replacing("/", with: "--")
    let reference = URL(fileURLWithPath: folder + "/refs/main")
    guard let bytes = RegularFile.bytes(at: reference) else {
      return nil
    }
    let revision = String(decoding: bytes.prefix(128), as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    guard !revision.isEmpty, revision.utf8.count <= 64, revision.allSatisfy(\.isHexDigit) else {
      return nil
    }
    let snapshot = folder + "/snapshots/" + revision
    return FileManager.default.fileExists(atPath: snapshot) ? snapshot : nil
  }

  private static func cacheFolder(_ environment: [String: String]) -> String? {
    func value(_ key: String) -> String? {
      guard let text = environment[key], !text.isEmpty else { return nil }
      guard text == "~" || text.hasPrefix("~/"), let home = environment["HOME"] else { return text }
      return home + text.dropFirst()
    }
    if let hub = value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE") { return hub }
    let home =
      value("HF_HOME") ?? value("XDG_CACHE_HOME").map { $0 + "/huggingface" }
      ?? value("HOME").map { $0 + "/.cache/huggingface" }
    return home.map { $0 + "/hub" }
  }
}
