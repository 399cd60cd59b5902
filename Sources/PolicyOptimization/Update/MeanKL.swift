extension PreparedUpdate {
  /// The mean over a completion's tokens of the KL estimate to the reference, in nats; nil without a reference.
  ///
  /// Masks and the importance correction of the loss are not part of it: it says how far the policy is from the
  /// reference on this completion, whatever of that the loss counts. It is the plain mean of `kl_estimator`.
  public func meanKL(_ index: Int, logProbabilities: [Float]) -> Double? {
    guard let references = completions[index].referenceLogProbabilities, !references.isEmpty else {
      return nil
    }
    let values = kl.values(
      logProbabilities: logProbabilities.map(Double.init), references: references)
    return values.reduce(0, +) / Double(values.count)
  }
}
