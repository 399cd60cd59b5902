import Foundation

extension RecordedRollouts {
  /// Reads a file of rollouts into steps.
  convenience init(
    file url: URL, policy: Policy, encoder: PromptEncoder?, promptsPerStep: Int
  ) throws {
    throw RecordedRolloutsError(path: url.path, reason: "files of rollouts are not read yet")
  }
}
