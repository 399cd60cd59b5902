// y = x Wᵀ + b + s (x Aᵀ) Bᵀ
//
// The sum is taken from left to right: the base's product, its bias, the residual where there is one,
// then the adapter's product, whose chain begins with what is there. Each product is the batch-invariant
// kernel's, so a row has the same bits in sampling, scoring and training. With h = s x Aᵀ, kept:
//
//     dB += dyᵀ h,   dh = s dy B,   dA += dhᵀ x,   dx (+)= dy W + dh A
//
// A frozen base has no dW and no db: neither their memory nor their arithmetic.

import Tensors

/// A linear map of the layout, with its adapter and the places of its gradients.
struct Linear {
  let weight: PackedMatrix
  let bias: FloatBuffer?
  let adapter: LowRankAdapter?
  /// Where the gradients lie; nil where the tensor is frozen.
  let weightPlace: Int?
  let biasPlace: Int?

  init(_ name: String, _ lookup: TensorLookup) {
    weight = lookup.matrix(name + ".weight")
    bias = lookup.optionalVector(name + ".bias")
    adapter = LowRankAdapter(layer: name, lookup)
    weightPlace = lookup.place(name + ".weight")
    biasPlace = lookup.place(name + ".bias")
  }

  var outputs: Int { weight.rows }
  var inputs: Int { weight.columns }

  /// The products of x that y is made of, to be run beside those of other layers of the same x;
  /// `addAdapter` completes y.
  /// - Parameters:
  ///   - y: [R, N].
  ///   - reduced: Keeps x Aᵀ, [R, r].
  func products(
    into y: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel, reduced: FloatScratch
  ) -> [Product] {
    let base = Product(weight, into: Rows(y, stride: outputs), bias: bias?.pointer)
    guard let adapter, model.appliesAdapter else { return [base] }
    let h = reduced.reserve(rows * adapter.rank)
    return [base, Product(adapter.a, into: Rows(h, stride: adapter.rank))]
  }

  /// Adds the adapter's part to y, after `products`.
  func addAdapter(
    to y: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel, reduced: FloatScratch
  ) {
    guard let adapter, model.appliesAdapter else { return }
    model.compute.scale(reduced.pointer, by: adapter.scale, count: rows * adapter.rank)
    addScaled(adapter, to: y, rows: rows, model: model, reduced: reduced)
  }

  /// y += h Bᵀ.
  private func addScaled(
    _ adapter: LowRankAdapter, to y: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel,
    reduced: FloatScratch
  ) {
    let y = Rows(y, stride: outputs)
    model.compute.multiply(
      reduced.rows(adapter.rank), rows: rows, by: adapter.b, into: y, adding: y)
  }

  /// y = residual + (x Wᵀ + b), and the adapter's part.
  func forward(
    _ x: UnsafeMutablePointer<Float>, residual: UnsafeMutablePointer<Float>,
    into y: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel, reduced: FloatScratch
  ) {
    let x = Rows(x, stride: inputs)
    model.compute.multiply(
      x, rows: rows, by: weight, into: Rows(y, stride: outputs), bias: bias?.pointer,
      adding: Rows(residual, stride: outputs))
    guard let adapter, model.appliesAdapter else { return }
    reduce(x.start, rows: rows, model: model, reduced: reduced)
    addScaled(adapter, to: y, rows: rows, model: model, reduced: reduced)
  }

  /// h = s x Aᵀ, [R, r], which is all that the backward pass needs; nothing without an adapter.
  func reduce(
    _ x: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel, reduced: FloatScratch
  ) {
    guard let adapter, model.appliesAdapter else { return }
    let h = reduced.reserve(rows * adapter.rank)
    model.compute.multiply(
      Rows(x, stride: inputs), rows: rows, by: adapter.a, into: Rows(h, stride: adapter.rank))
    model.compute.scale(h, by: adapter.scale, count: rows * adapter.rank)
  }

  /// Adds the gradients of what is trained, and gives dx, written or added.
  /// - Parameters:
  ///   - reduced: What `forward` kept.
  ///   - dReduced: Scratch, [R, r].
  func backward(
    _ dy: UnsafeMutablePointer<Float>, x: UnsafeMutablePointer<Float>, rows: Int,
    into dx: UnsafeMutablePointer<Float>, accumulating: Bool, model: LanguageModel,
    reduced: FloatScratch, dReduced: FloatScratch, gradients: Gradients
  ) {
    let compute = model.compute
    let dy = Rows(dy, stride: outputs)
    let x = Rows(x, stride: inputs)
    let dx = Rows(dx, stride: inputs)
    if let dWeight = gradients.pointer(weightPlace) {
      compute.accumulateWeightGradient(dy, x, rows: rows, layout: weight.layout, into: dWeight)
    }
    if let dBias = gradients.pointer(biasPlace) {
      compute.accumulateBiasGradient(dy, rows: rows, columns: outputs, into: dBias)
    }
    compute.backpropagateInput(
      dy, rows: rows, through: weight, into: dx, accumulating: accumulating)
    if let adapter, model.appliesAdapter {
      adapter.backward(
        dy, x: x, h: reduced.rows(adapter.rank), rows: rows, into: dx,
        dh: Rows(dReduced.reserve(rows * adapter.rank), stride: adapter.rank), compute: compute,
        gradients: gradients)
    }
  }
}

/// The trained part of an adapted layer.
struct LowRankAdapter {
  /// A [r, inputs].
  let a: PackedMatrix
  /// B [outputs, r].
  let b: PackedMatrix
  let aPlace: Int?
  let bPlace: Int?
  let scale: Float

  var rank: Int { a.rows }

  init?(layer: String, _ lookup: TensorLookup) {
    let (nameA, nameB) = (
      AdapterConfiguration.tensorA(of: layer), AdapterConfiguration.tensorB(of: layer)
    )
    guard let scale = lookup.adapterScale, let a = lookup.optionalMatrix(nameA) else { return nil }
    self.a = a
    self.scale = scale
    b = lookup.matrix(nameB)
    aPlace = lookup.place(nameA)
    bPlace = lookup.place(nameB)
  }

  /// dB += dyᵀ h, dA += dhᵀ x, dx += dh A with dh = s dy B.
  func backward(
    _ dy: Rows, x: Rows, h: Rows, rows: Int, into dx: Rows, dh: Rows, compute: Compute,
    gradients: Gradients
  ) {
    compute.backpropagateInput(dy, rows: rows, through: b, into: dh, accumulating: false)
    compute.scale(dh.start, by: scale, count: rows * rank)
    if let dB = gradients.pointer(bPlace) {
      compute.accumulateWeightGradient(dy, h, rows: rows, layout: b.layout, into: dB)
    }
    if let dA = gradients.pointer(aPlace) {
      compute.accumulateWeightGradient(dh, x, rows: rows, layout: a.layout, into: dA)
    }
    compute.backpropagateInput(dh, rows: rows, through: a, into: dx, accumulating: true)
  }
}
