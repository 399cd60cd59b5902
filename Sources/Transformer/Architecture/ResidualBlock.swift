// y = x + m · norm_after(part(norm_before(x)))
//
// Either norm may be missing. Backward, with dy the gradient of the stream after the block and z the part's output:
//
//     dz = m · dy, through norm_after;   dn = part's backward of dz;   dx = dy + dn through norm_before
//
// The input x is kept; normed values are computed again from it, a pass over memory and not a product.

import Tensors

/// A part of a layer with what stands around it.
struct ResidualBlock: Sendable {
  let part: any LayerPart
  /// x, [R, C].
  let input: Slot
  /// The tensors of the part and its norms.
  let tensors: [ParameterID]

  private let normBefore: (norm: Norm, statistics: Slot)?
  private let normAfter: (norm: Norm, statistics: Slot)?
  private let multiplier: Float
  /// norm_before(x), where there is such a norm, and the gradient of what the part takes.
  private let normed: Slot?
  private let dNormed: Slot
  /// The part's output, where it is not added as it is.
  private let output: Slot?
  private let dOutput: Slot?

  /// Declares the norms and, between them, the part that `makePart` declares.
  init(
    _ surroundings: Surroundings, hiddenSize: Int, _ declaration: inout Declaration,
    _ makePart: (inout Declaration) -> any LayerPart
  ) {
    let first = (declaration.tensors.count, declaration.adapterTensors.count)
    func norm(_ design: NormDesign, _ declaration: inout Declaration) -> (Norm, Slot) {
      let norm = declaration.norm(design)
      return (norm, declaration.saved(norm.statisticsCount))
    }
    input = declaration.saved(hiddenSize)
    normBefore = surroundings.normBefore.map { norm($0, &declaration) }
    part = makePart(&declaration)
    normAfter = surroundings.normAfter.map { norm($0, &declaration) }
    multiplier = surroundings.multiplier
    normed = normBefore.map { _ in declaration.scratch("normed", hiddenSize) }
    dNormed = declaration.scratch("gradient of normed", hiddenSize, isBackward: true)
    if normAfter != nil || multiplier != 1 {
      output =
        normAfter == nil
        ? declaration.scratch("a part's output", hiddenSize) : declaration.saved(hiddenSize)
      dOutput = declaration.scratch("gradient of a part's output", hiddenSize, isBackward: true)
    } else {
      (output, dOutput) = (nil, nil)
    }
    tensors =
      (first.0..<declaration.tensors.count).map(ParameterID.model)
      + (first.1..<declaration.adapterTensors.count).map(ParameterID.adapter)
  }

  /// The stream after the block, [R, C], from the input that stands in its slot.
  func forward(into y: Tensor, _ run: LayerRun) {
    let x = run[input]
    let n = normedInput(run)
    guard let output else { return part.forward(n, adding: x, into: y, run) }
    let z = run.reserve(output)
    part.forward(n, adding: nil, into: z, run)
    if let (norm, statistics) = normAfter {
      norm.forward(z, into: y, statistics: run.reserve(statistics), run.model)
    } else {
      y.fill(from: z)
    }
    if multiplier != 1 { run.compute.scale(y, by: multiplier) }
    run.compute.add(x, to: y)
  }

  /// Computes again what `forward` keeps, without the stream after the block.
  func recompute(_ run: LayerRun) {
    let n = normedInput(run)
    guard let output, let (norm, statistics) = normAfter else { return part.recompute(n, run) }
    let z = run.reserve(output)
    part.forward(n, adding: nil, into: z, run)
    // Only the statistics are wanted: the values go where the gradient will stand.
    norm.forward(
      z, into: run.reserve(dNormed), statistics: run.reserve(statistics), run.model)
  }

  /// Turns the gradient of the stream after the block into that before it, in place.
  func backward(_ dStream: Tensor, _ run: LayerRun, _ gradients: Gradients) {
    let x = run[input]
    var dz = dStream
    if let output, let dOutput {
      dz = run.reserve(dOutput)
      dz.fill(from: dStream)
      if multiplier != 1 { run.compute.scale(dz, by: multiplier) }
      if let (norm, statistics) = normAfter {
        norm.backward(
          dz, x: run[output], statistics: run[statistics], into: dz, accumulating: false,
          run.model, gradients)
      }
    }
    let n = normedInput(run)
    let dn = run.reserve(dNormed)
    part.backward(dz, x: n, into: dn, run, gradients)
    if let (norm, statistics) = normBefore {
      norm.backward(
        dn, x: x, statistics: run[statistics], into: dStream, accumulating: true, run.model,
        gradients)
    } else {
      run.compute.add(dn, to: dStream)
    }
  }

  /// norm_before(x).
  private func normedInput(_ run: LayerRun) -> Tensor {
    let x = run[input]
    guard let (norm, statistics) = normBefore, let normed else { return x }
    let n = run.reserve(normed)
    norm.forward(x, into: n, statistics: run.reserve(statistics), run.model)
    return n
  }
}
