import Foundation
import Rollouts
import TrajectoryStore
import Transformer

/// A file of prompts: rows with `prompt`, a text or messages, or `prompt_ids`.
public struct SamplePrompts: Sendable {
  /// Where a prompt stands, and what it is.
  public struct Row: Sendable {
    var place: RowPlace
    var prompt: Prompt?
    var tokens: [TokenID]?
    /// The row's other columns, of which a chat template may be given some.
    var columns: JSONObject = [:]
  }

  private let name: String
  private let rows: [Row]

  /// Reads a file; `-` is standard input.
  /// - Throws: `DatasetError` naming the line.
  public init(reading path: String) throws(DatasetError) {
    name = path == "-" ? "standard input" : path
    let file: DatasetFile
    do throws(DatasetError) {
      file = try DatasetFile(reading: path == "-" ? "/dev/stdin" : path)
    } catch {
      throw DatasetError(path: name, at: error.place, reason: error.reason)
    }
    var rows: [Row] = []
    for row in file.rows {
      do throws(RolloutLineError) {
        let reader = RolloutLineReader(row.columns)
        let tokens = try reader.tokens("prompt_ids")
        let prompt = try reader.prompt()
        guard tokens?.isEmpty == false || prompt != nil else {
          throw RolloutLineError("has neither 'prompt' nor 'prompt_ids'")
        }
        rows.append(
          Row(place: row.place, prompt: prompt, tokens: tokens, columns: row.columns))
      } catch {
        throw DatasetError(path: name, at: row.place, reason: error.reason)
      }
    }
    self.rows = rows
  }

  /// Takes prompts that are at hand.
  public init(_ prompts: [Prompt], name: String) {
    self.name = name
    rows = prompts.enumerated().map { Row(place: .element($0 + 1), prompt: $1) }
  }

  /// The prompts in a policy's tokens.
  /// - Throws: `DatasetError` naming the row that can't be given to the policy.
  public func requests(
    for policy: Policy, encoder: PromptEncoder?
  ) throws(DatasetError) -> [SampleRequest] {
    let shape = policy.model.configuration
    var requests: [SampleRequest] = []
    for row in rows {
      func fault(_ reason: String) -> DatasetError {
        DatasetError(path: name, at: rows.count > 1 ? row.place : nil, reason: reason)
      }
      let tokens: [TokenID]
      if let given = row.tokens {
        tokens = given
      } else if let encoder, let prompt = row.prompt {
        do throws(PromptError) {
          let problem = Problem(index: 0, prompt: prompt, columns: row.columns)
          tokens = try encoder.encode(problem, dataset: name) ?? []
        } catch { throw fault(error.reason) }
      } else {
        throw fault(
          "is text and \(policy.folder.path) has no tokenizer.json; give lines of "
            + "{\"prompt_ids\": […]} by --input, or add the tokenizer")
      }
      if let id = tokens.first(where: { $0 < 0 || Int($0) >= shape.vocabularySize }) {
        throw fault(
          "has the id \(id); the model's vocabulary has ids from 0 to \(shape.vocabularySize - 1)")
      }
      guard tokens.count < shape.maximumPositions else {
        throw fault(
          "has \(tokens.count) tokens and the model's context is \(shape.maximumPositions); shorten it"
        )
      }
      requests.append(SampleRequest(prompt: row.prompt, tokens: tokens))
    }
    return requests
  }
}
