import CProcesses

/// What becomes of processes whose supervisor was killed by what it supervised.
public enum SubReaper {
  /// Lets this process inherit them, and end them with the reward or hook that left them.
  ///
  /// Called once at the start of a program whose process is its own: whatever becomes an orphan beneath it
  /// comes to it from then on.
  public static func begin() { cprocesses_inherit_orphans() }
}
