import Foundation
import TrajectoryStore

/// Asks for queries one after another: at a prompt, or from standard input.
struct QueryShell {
  private let query: Query

  init(_ query: Query) { self.query = query }

  func run() throws -> ExitCode {
    while let line = readLine() {
      try query.answer([line])
    }
    return .done
  }
}
