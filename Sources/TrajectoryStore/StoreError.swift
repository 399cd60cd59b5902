import CSQLite
import Rollouts

/// What went wrong with a log, for a person: what, where, and what to do about it.
public struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The families of faults that callers treat differently.
  public enum Kind: String, Sendable {
    /// Another process writes the log, or holds it longer than we wait.
    case busy
    /// The disk, or the quota, is full.
    case diskFull
    /// The file is damaged, or was deleted while in use.
    case damaged
    /// The file can't be opened, read or written where it is.
    case unreachable
    /// The file is not a log of ours.
    case notALog
    /// The log was written by a newer version of the program.
    case newerLog
    /// A row that the caller gave contradicts the log or the schema.
    case refused
    /// The query is wrong, or does what a read-only query may not.
    case query
    /// The query took longer than its time limit.
    case timeLimit
    /// The user interrupted the query.
    case interrupted
    /// Anything else that SQLite reports.
    case other
  }

  /// The family of the fault.
  public var kind: Kind
  /// SQLite's extended result code; 0 where SQLite reported nothing.
  public var code: Int32
  /// What happened, as a sentence that names the file or the statement.
  public var sentence: String
  /// What to do about it, as a sentence; may be empty.
  public var remedy: String

  /// Makes an error.
  public init(_ kind: Kind, _ sentence: String, remedy: String = "", code: Int32 = 0) {
    self.kind = kind
    self.code = code
    self.sentence = sentence
    self.remedy = remedy
  }

  /// The sentence and the remedy.
  public var description: String { remedy.isEmpty ? sentence : "\(sentence) \(remedy)" }
}

extension StoreError {
  /// Whether a row with the same key is already there (`SQLITE_CONSTRAINT_UNIQUE`, a macro that
  /// Swift can't import).
  var isDuplicate: Bool { code == SQLITE_CONSTRAINT | (8 << 8) }

  /// Whether the disk of a file has no room for a few pages.
  private static func hasNoRoom(_ path: String) -> Bool {
    DiskSpace.available(at: path).map { $0 < 1 << 16 } ?? false
  }

  /// Translates what SQLite reports about a file.
  /// - Parameters:
  ///   - code: The extended result code.
  ///   - message: SQLite's own words, kept where ours would say less.
  ///   - path: The log.
  static func sqlite(code: Int32, message: String, path: String) -> StoreError {
    switch code & 0xFF {
    case SQLITE_BUSY, SQLITE_LOCKED:
      return StoreError(
        .busy, "The log \(path) is locked by another program.",
        remedy: "Close the program that holds it (a database browser?) and try again.", code: code)
    case SQLITE_FULL,
      SQLITE_IOERR where hasNoRoom(path):
      // A journal that can't grow is a fault of input and output to SQLite.
      return StoreError(
        .diskFull, "The disk is full: the log \(path) could not grow.",
        remedy: "Free some space; everything committed before is intact.", code: code)
    case SQLITE_CORRUPT:
      return StoreError(
        .damaged, "The log \(path) is damaged (\(message)).",
        remedy:
          "What is readable can be saved with: sqlite3 \(path) .recover | sqlite3 recovered.sqlite",
        code: code)
    case SQLITE_NOTADB:
      return StoreError(
        .notALog, "\(path) is not an SQLite database.",
        remedy: "Name a run folder, or its trajectories.sqlite.", code: code)
    case SQLITE_IOERR:
      return StoreError(
        .damaged, "Reading or writing the log \(path) failed (\(message)).",
        remedy: "Check the disk, and that the file was not moved or deleted while in use.",
        code: code)
    case SQLITE_CANTOPEN:
      return StoreError(
        .unreachable, "The log \(path) can't be opened (\(message)).",
        remedy: "Check that the file exists and that its folder may be written.", code: code)
    case SQLITE_READONLY:
      return StoreError(
        .unreachable, "The log \(path) can't be written (\(message)).",
        remedy: "Check the permissions of the file and its folder, and that neither was deleted.",
        code: code)
    case SQLITE_PERM:
      return StoreError(.unreachable, "Access to the log \(path) is denied.", code: code)
    case SQLITE_CONSTRAINT:
      return StoreError(
        .refused, "The log \(path) refuses the row: \(message).", code: code)
    case SQLITE_AUTH:
      return StoreError(
        .query, "The query may only read: \(message).",
        remedy: "Copy the log and change the copy with sqlite3.", code: code)
    case SQLITE_INTERRUPT:
      return StoreError(.interrupted, "The query was interrupted.", code: code)
    // Our own statements are right: a person wrote this one, or a condition within it.
    case SQLITE_ERROR:
      return StoreError(.query, "The query is wrong: \(message).", code: code)
    default:
      return StoreError(.other, "SQLite on \(path): \(message).", code: code)
    }
  }
}
