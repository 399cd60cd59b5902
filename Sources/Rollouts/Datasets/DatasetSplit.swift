import Foundation

/// Which part of a folder of data is wanted.
public enum DatasetSplit: Sendable, Hashable {
  case train
  case evaluation

  private var stems: [String] {
    switch self {
    case .train: ["train"]
    case .evaluation: ["valid", "validation", "eval", "test"]
    }
  }

  private static let extensions = ["jsonl", "json", "csv", "tsv"]

  /// The file that a path means: itself, or the file of a folder that has this part.
  /// - Throws: `DatasetError` where there is none, with what to type for a name of the hub.
  func file(of path: String) throws(DatasetError) -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw DatasetError(path: path, reason: Self.missingReason(path))
    }
    guard isFolder.boolValue else { return path }
    let folder = URL(fileURLWithPath: path)
    for stem in stems {
      for suffix in Self.extensions {
        let file = folder.appendingPathComponent("\(stem).\(suffix)").path
        if FileManager.default.fileExists(atPath: file) {
          return path.hasSuffix("/") ? "\(path)\(stem).\(suffix)" : "\(path)/\(stem).\(suffix)"
        }
      }
    }
    throw DatasetError(
      path: path,
      reason: "is a folder without \(stems.map { $0 + ".jsonl" }.joined(separator: ", "))"
        + "; name the file\(Self.parquetHint(in: folder))")
  }

  private static func parquetHint(in folder: URL) -> String {
    let paths = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    // A folder that someone points at by mistake may be huge: look at the first files only.
    var looked = 0
    while let file = paths?.nextObject() as? URL, looked < 1000 {
      looked += 1
      if file.pathExtension == "parquet" {
        return ". Parquet isn't read; convert it: python3 -c \"import pandas; pandas.read_parquet("
          + "'\(file.path)').to_json('\(folder.path)/train.jsonl', orient='records', lines=True)\""
      }
    }
    return ""
  }

  /// Why a path leads nowhere; for a name of the Hugging Face hub, what to type.
  private static func missingReason(_ path: String) -> String {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let looksLikeHubName =
      parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty
      && !path.hasPrefix(".") && (path as NSString).pathExtension.isEmpty
      && !FileManager.default.fileExists(atPath: String(parts[0]))
    guard looksLikeHubName else { return "there is no such file" }
    let folder = String(parts[1])
    return """
      is no file here, but may be a data set of the Hugging Face hub, and nothing is downloaded by \
      itself; type: python3 -c "import datasets; \
      datasets.load_dataset('\(path)', split='train').to_json('\(folder).jsonl')" \
      and give \(folder).jsonl
      """
  }
}
