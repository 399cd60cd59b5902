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

  /// The files that a path means: itself, the part of a folder, or of a data set in the hub's cache.
  /// - Throws: `DatasetError` where there is none, with what to type for a name of the hub.
  func files(
    of path: String, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(DatasetError) -> DatasetFiles {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      if let files = try HubDataset(path)?.files(stems, environment: environment) {
        return DatasetFiles(name: path, paths: files)
      }
      throw DatasetError(path: path, reason: Self.missingReason(path))
    }
    guard isFolder.boolValue else { return DatasetFiles(name: path, paths: [path]) }
    let folder = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    if let files = try DatasetFolder(path: folder).files(stems) {
      return DatasetFiles(name: files.count == 1 ? files[0] : path, paths: files)
    }
    throw DatasetError(
      path: path,
      reason:
        "is a folder without \(stems.map { $0 + ".jsonl" }.joined(separator: ", ")) or the like "
        + "in Parquet, and not one that save_to_disk wrote; name the file")
  }

  /// Why a path leads nowhere; for a name of the Hugging Face hub, what to type.
  private static func missingReason(_ path: String) -> String {
    guard let hub = HubDataset(path), !path.hasPrefix("."),
      hub.configuration != nil || (path as NSString).pathExtension.isEmpty,
      !FileManager.default.fileExists(atPath: (path as NSString).deletingLastPathComponent)
    else { return "there is no such file" }
    let folder = hub.name.split(separator: "/").last.map(String.init) ?? hub.name
    let chosen = hub.configuration.map { ", '\($0)'" } ?? ""
    return """
      is not a file here and not in the hub's cache, but may be a data set of the Hugging Face hub; nothing \
      is downloaded by itself; type: hf download --repo-type dataset \(hub.name) \
      and give the name again, or: python3 -c "import datasets; \
      datasets.load_dataset('\(hub.name)'\(chosen), split='train').to_json('\(folder).jsonl')" \
      and give \(folder).jsonl
      """
  }
}
