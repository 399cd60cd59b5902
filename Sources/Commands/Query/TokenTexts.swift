import Foundation
import Rollouts
import Tokenizers
import TrajectoryStore

/// The texts of a run's tokens, by the tokenizer that the run used.
struct TokenTexts {
  private let tokenizer: Tokenizer

  /// Finds the run's tokenizer: in what the run saved, or in its parent model.
  ///
  /// Nil where neither holds one: token ids are shown then.
  init?(_ location: LogLocation, model: String?) {
    let files = FileManager.default
    let checkpoints = location.folder.appendingPathComponent("checkpoints")
    let saved = (try? files.contentsOfDirectory(atPath: checkpoints.path)) ?? []
    var folders = [location.folder.appendingPathComponent("final")]
    folders += saved.sorted().map { checkpoints.appendingPathComponent($0) }
    if let model { folders.append(URL(fileURLWithPath: model)) }
    for folder in folders {
      if let tokenizer = try? Tokenizer(folder: folder) {
        self.tokenizer = tokenizer
        return
      }
    }
    return nil
  }

  /// Gives the texts of a completion's tokens, asked in order; joined, they are its decoded text.
  ///
  /// Where a character is spread over several tokens, its text comes with the last of them.
  func reader() -> (TokenID) -> String {
    var decoder = tokenizer.makeIncrementalDecoder(skipSpecialTokens: false)
    return { decoder.append($0) }
  }
}
