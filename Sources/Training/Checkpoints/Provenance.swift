import Foundation
import Rollouts
import Transformer

/// `provenance.json` of a model: what made it, the fingerprint of every other file, and of itself.
enum Provenance {
  static let name = "provenance.json"
  private static let seal = "seal"

  /// Writes what made a model beside its files, which are all there.
  static func write(_ record: JSONObject, to folder: URL) throws {
    var record = record
    let hashes = try CheckpointManifest.hashes(of: folder)
    record["files"] = .object(JSONObject(sorting: hashes.mapValues { .string($0) }))
    record[seal] = nil
    record[seal] = .string(fingerprint(of: record))
    try AtomicFile.write(
      JSONValue.object(record).prettyJSONText + "\n", to: folder.appendingPathComponent(name))
  }

  /// Whether a record is what was written, by the fingerprint of itself.
  static func isIntact(_ record: JSONObject) -> Bool {
    var bare = record
    bare[seal] = nil
    return record[seal]?.string == fingerprint(of: bare)
  }

  private static func fingerprint(of record: JSONObject) -> String {
    SHA256.digest(of: JSONValue.object(record).jsonText).hexadecimal
  }
}
