/// The version of the program, recorded in runs and checkpoints.
public enum ProgramVersion {
  /// `grpo --version`.
  public static let current = "0.1.0"
}
