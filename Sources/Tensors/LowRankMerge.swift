extension Compute {
  /// W += s B A on row-major values, an element at a time in double precision, rounded once.
  ///
  /// Shapes: W [N, K], or [K, N] where it is transposed; A [r, K], B [N, r].
  /// Complexity: 2·r·N·K flops.
  public static func merge(
    a: [Float], b: [Float], rank: Int, scale: Float, isTransposed: Bool = false,
    into weight: inout [Float]
  ) {
    precondition(rank > 0 && a.count % rank == 0 && b.count % rank == 0, "A and B of one rank")
    let (inputs, outputs) = (a.count / rank, b.count / rank)
    precondition(weight.count == inputs * outputs, "W is as wide as A and as high as B")
    var row = [Double](repeating: 0, count: inputs)
    let (step, rowStep) = isTransposed ? (outputs, 1) : (1, inputs)
    for output in 0..<outputs {
      for column in 0..<inputs { row[column] = 0 }
      for index in 0..<rank {
        let factor = Double(scale) * Double(b[output * rank + index])
        let start = index * inputs
        for column in 0..<inputs { row[column] += factor * Double(a[start + column]) }
      }
      for column in 0..<inputs {
        let place = output * rowStep + column * step
        weight[place] = Float(Double(weight[place]) + row[column])
      }
    }
  }
}
