import Foundation
import Rollouts

/// Finds the folder of a model that a person named.
public enum ModelLocator {
  /// The folder of a model: a path, or a Hugging Face hub name whose model lies in the hub's cache.
  ///
  /// A path comes first. A hub name (`Qwen/Qwen2.5-0.5B`) is looked up where Hugging Face's own
  /// tools keep their downloads: `HF_HUB_CACHE`, `HF_HOME/hub`, `~/.cache/huggingface/hub`, the
  /// snapshot that `refs/main` names. Nothing is downloaded.
  /// - Throws: `ModelError`; for a hub name, of kind `.hubName` with the command that downloads it.
  public static func locate(
    _ nameOrPath: String, environment: [String: String]
  ) throws(ModelError) -> URL {
    guard !nameOrPath.isEmpty, !nameOrPath.unicodeScalars.contains("\0") else {
      throw ModelError(.missing, path: "--model", "expected a folder or a hub name, found nothing")
    }
    let path = expandingHome(nameOrPath, environment)
    let url = URL(fileURLWithPath: path, isDirectory: true)
    switch kind(of: path) {
    case .folder: return url
    case .file: throw notAFolder(path)
    case .nothing: break
    }
    let isHubName = isHubName(nameOrPath)
    if isHubName, let snapshot = cachedSnapshot(nameOrPath, environment) { return snapshot }
    if let neighbour = misspeltNeighbour(of: url) {
      throw ModelError(
        .missing, path: nameOrPath, "there is no such folder", remedy: "did you mean \(neighbour)?")
    }
    guard isHubName else {
      throw ModelError(
        .missing, path: nameOrPath, "there is no such folder",
        remedy: "name a model's folder, or a hub name such as Qwen/Qwen2.5-0.5B")
    }
    let target = "models/\(nameOrPath.split(separator: "/").last ?? "")"
    throw ModelError(
      .hubName, path: nameOrPath,
      "there is no such folder, and no model of the name in Hugging Face's cache",
      remedy: "download it by `hf download \(nameOrPath) --local-dir \(target)` "
        + "(pip install huggingface_hub), then use `--model \(target)`")
  }

  private enum Kind { case folder, file, nothing }

  private static func kind(of path: String) -> Kind {
    var status = stat()
    guard stat(path, &status) == 0 else { return .nothing }
    return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
  }

  private static func notAFolder(_ path: String) -> ModelError {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let hasModel = WholeFile.exists(folder.appendingPathComponent("config.json"))
    if path.hasSuffix(".gguf") {
      return ModelError(
        .unsupported, path: path, "GGUF is not read",
        remedy: "use the Hugging Face folder that it was converted from")
    }
    return ModelError(
      .missing, path: path, "is a file, and a model is a folder",
      remedy: "name the folder that holds config.json" + (hasModel ? ", \(folder.path)" : ""))
  }

  /// A model's folder beside the one that isn't there, with a name near to it.
  private static func misspeltNeighbour(of url: URL) -> String? {
    let parent = url.deletingLastPathComponent()
    return Spelling.nearest(to: url.lastPathComponent, among: ModelFolder.models(in: parent))
      .map { parent.appendingPathComponent($0).relativePath }
  }

  private static func expandingHome(_ path: String, _ environment: [String: String]) -> String {
    guard path == "~" || path.hasPrefix("~/"), let home = environment["HOME"] else { return path }
    return home + path.dropFirst()
  }

  /// Whether a text is `organisation/name` in the hub's alphabet.
  private static func isHubName(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        guard let first = part.utf8.first, part.utf8.count <= 96 else { return false }
        return first != UInt8(ascii: ".") && first != UInt8(ascii: "-")
          && part.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
              UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
              UInt8(ascii: "."):
              true
            default: false
            }
          }
      }
  }

  /// The cached folder of a hub name, if its configuration is there.
  private static func cachedSnapshot(_ name: String, _ environment: [String: String]) -> URL? {
    guard let cache = cacheFolder(environment) else { return nil }
    let model = cache.appendingPathComponent(
      "models--" + name.replacingOccurrences(of: "/", with: "--"), isDirectory: true)
    let reference = model.appendingPathComponent("refs/main")
    guard WholeFile.exists(reference), let bytes = try? WholeFile.bytes(of: reference) else {
      return nil
    }
    let revision = String(decoding: bytes, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    guard !revision.isEmpty, revision.utf8.count <= 64, revision.allSatisfy(\.isHexDigit) else {
      return nil
    }
    let snapshot = model.appendingPathComponent("snapshots/\(revision)", isDirectory: true)
    let files = ["config.json", "model.safetensors", "model.safetensors.index.json"]
      .map { WholeFile.exists(snapshot.appendingPathComponent($0)) }
    return files[0] && (files[1] || files[2]) ? snapshot : nil
  }

  private static func cacheFolder(_ environment: [String: String]) -> URL? {
    func value(_ key: String) -> String? {
      environment[key].flatMap { $0.isEmpty ? nil : expandingHome($0, environment) }
    }
    if let hub = value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE") {
      return URL(fileURLWithPath: hub, isDirectory: true)
    }
    let home =
      value("HF_HOME") ?? value("XDG_CACHE_HOME").map { $0 + "/huggingface" }
      ?? value("HOME").map { $0 + "/.cache/huggingface" }
    return home.map { URL(fileURLWithPath: $0 + "/hub", isDirectory: true) }
  }
}
