import Foundation

/// How the program ends, as scripts see it.
enum ExitCode: Int32, Sendable {
  /// Everything asked for was done.
  case done = 0
  /// The run had begun and failed.
  case failed = 1
  /// The words or the configuration are wrong; nothing was begun.
  case usage = 2
  /// Ctrl-C or SIGTERM; what had to be saved is saved.
  case interrupted = 130
}

/// The words or the configuration are wrong: every fault, before any work; exit code 2.
struct UsageError: Error, Sendable, CustomStringConvertible {
  /// A sentence for each fault: what, where, what was expected, what to do.
  var faults: [String]

  /// Makes an error of several faults.
  init(_ faults: [String]) { self.faults = faults }
  /// Makes an error of one fault.
  init(_ fault: String) { faults = [fault] }

  var description: String { faults.joined(separator: "\n") }
}

/// A run that had begun and failed: exit code 1.
struct RunFailure: Error, Sendable, CustomStringConvertible {
  /// A sentence: what failed, where, and what to do.
  var description: String

  init(_ description: String) { self.description = description }
}

/// The user stopped the run and what had to be saved is saved: exit code 130.
struct Interrupted: Error, Sendable, CustomStringConvertible {
  /// What to type to go on, shown to the user; may be empty.
  var description: String

  init(_ description: String = "") { self.description = description }
}

/// Runs `body`, whose failures mean that the words or the files named by them are wrong.
///
/// The errors of lower targets say what is wrong in their own words; here they become exit code 2.
/// - Throws: `UsageError` with the description of what `body` threw.
func refusing<Result>(_ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as UsageError { throw error } catch let error
    as Interrupted
  { throw error } catch { throw UsageError(sentence(of: error)) }
}

/// An error as people read it: what Foundation throws describes itself to programmers.
func sentence(of error: any Error) -> String {
  let foreign = error as NSError
  guard foreign.domain == NSCocoaErrorDomain else { return "\(error)" }
  let path = foreign.userInfo[NSFilePathErrorKey] as? String
  let underlying = (foreign.userInfo[NSUnderlyingErrorKey] as? any Error).map { $0 as NSError }
  let cause = underlying.flatMap {
    $0.domain == NSPOSIXErrorDomain ? String(cString: strerror(Int32($0.code))) : nil
  }
  return (path.map { "\($0): " } ?? "") + (cause ?? foreign.localizedDescription)
}
