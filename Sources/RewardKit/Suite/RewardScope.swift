/// What a reward must see in one call.
///
/// A call's contents depend on the step alone, never on the clock, but for the completion scope, in which
/// every completion is judged by itself and a call holds whatever waits.
public enum RewardScope: String, Sendable, CaseIterable {
  /// Each completion by itself, the moment it ends: scoring hides behind sampling.
  case completion
  /// The completions of a prompt together, as soon as the last of them ends.
  case group
  /// Every completion of a step together, once all of them ended: nothing is hidden behind sampling.
  case step
}
