import CKernels

/// A linear layer's weight [N, K] or an embedding table [V, C], packed; there is no plain copy.
///
/// Products in two bytes read a copy of operands in two bytes, made when the first of them asks for it and again after
/// the elements have changed. A matrix that is held in bfloat16 is its own copy: its elements are put into pairs.
public final class PackedMatrix {
  /// Where the elements lie.
  public let layout: PackedLayout

  /// The elements in packed order.
  private let memory: Tensor
  /// Whether bfloat16 elements lie as pairs of neighbouring columns, [N/32][K/2][32][2].
  private var liesInPairs = false
  /// The operands of products in two bytes.
  private var operands: (precision: Precision, halves: Tensor, isCurrent: Bool)?
  /// Row-major values for OpenBLAS; only a comparison with its forward products makes them.
  var plainCopy: Tensor?

  /// A matrix of zeros; in bfloat16 for frozen weights only, half the bytes, widened exactly where it is used.
  public init(rows: Int, columns: Int, element: ElementType = .float32) {
    precondition(element != .float16, "weights in float16 are widened when they are read")
    layout = PackedLayout(rows: rows, columns: columns)
    // An odd matrix in pairs has a column of zeros more.
    let count = element == .bfloat16 ? layout.pairedCount : layout.count
    memory = Tensor(rows: 1, columns: count, element: element)
  }

  /// A float32 matrix in memory that is there.
  init(rows: Int, columns: Int, memory: Tensor) {
    layout = PackedLayout(rows: rows, columns: columns)
    precondition(memory.count == layout.count, "memory of another size than the matrix")
    self.memory = memory
  }

  /// How the elements are held.
  public var element: ElementType { memory.element }
  /// Rows of the matrix: N or V.
  public var rows: Int { layout.rows }
  /// Columns of the matrix: K or C.
  public var columns: Int { layout.columns }
  /// Bytes of storage.
  public var byteCount: Int { layout.count * element.size }

  /// The elements in packed order, to be changed as their gradient and moments are, which lie alike.
  ///
  /// Whoever changes them asks anew each time: what was made from them is out of date from then on.
  /// - Precondition: They are float32: a bfloat16 matrix is frozen.
  public var stored: Tensor {
    precondition(element == .float32, "a bfloat16 matrix is frozen and has no floats to change")
    changed()
    return memory
  }

  private func changed() {
    plainCopy = nil
    operands?.isCurrent = false
  }

  /// The panels that a product of a precision reads, and how they are stored.
  func panels(for precision: Precision, _ compute: Compute) -> (
    address: UnsafeRawPointer, format: Int32
  ) {
    if element == .bfloat16, precision != .fp16 {
      lie(inPairs: precision == .bf16)
      return (memory.bytes, precision == .bf16 ? precision.format : Int32(STORED_BFLOAT16))
    }
    guard precision != .float32 else { return (memory.bytes, precision.format) }
    if let operands, operands.precision == precision, operands.isCurrent {
      return (operands.halves.bytes, precision.format)
    }
    let halves = operands?.precision == precision ? operands?.halves : nil
    let made = makeOperands(precision, in: halves, compute)
    operands = (precision, made, true)
    return (made.bytes, precision.format)
  }

  private func makeOperands(
    _ precision: Precision, in earlier: Tensor?, _ compute: Compute
  ) -> Tensor {
    let count = precision == .bf16 ? layout.pairedCount : layout.count
    let halves = earlier ?? Tensor(rows: 1, columns: count, element: precision.element)
    let target = halves.halves
    let perPanel = columns * PackedLayout.panelWidth
    guard element == .float32 else {
      // A frozen matrix in bfloat16 becomes one in float16.
      lie(inPairs: false)
      let source = memory.halves
      for index in 0..<layout.count {
        target[index] = HalfPrecision.float16(HalfPrecision.float(bfloat16: source[index]))
      }
      return halves
    }
    let source = memory.start
    compute.parallelRanges(layout.panels, cost: Double(perPanel) * 0.1) { begin, end in
      compute.kernels.pointee.pack_panels(precision.format, source, columns, begin, end, target)
    }
    return halves
  }

  /// Puts bfloat16 elements into pairs, or back.
  private func lie(inPairs wanted: Bool) {
    guard liesInPairs != wanted else { return }
    liesInPairs = wanted
    let width = PackedLayout.panelWidth
    let perPanel = columns * width
    let perPairedPanel = (columns + 1) / 2 * 2 * width
    var panel = [UInt16](repeating: 0, count: perPairedPanel)
    let halves = memory.halves
    // From the end on where panels grow, from the beginning where they shrink.
    for index in wanted ? Array((0..<layout.panels).reversed()) : Array(0..<layout.panels) {
      let from = halves + index * (wanted ? perPanel : perPairedPanel)
      let to = halves + index * (wanted ? perPairedPanel : perPanel)
      for place in 0..<perPairedPanel {
        let (pair, lane) = (place / (2 * width), place / 2 % width)
        let plain = (2 * pair + place % 2) * width + lane
        if wanted {
          panel[place] = plain < perPanel ? from[plain] : 0
        } else if plain < perPanel {
          panel[plain] = from[place]
        }
      }
      for place in 0..<(wanted ? perPairedPanel : perPanel) { to[place] = panel[place] }
    }
  }

  /// Takes row-major values [rows, columns]; into bfloat16 they are rounded to nearest, ties to even.
  public func fill(from values: [Float]) { fill(rows: 0..<rows, from: values) }

  /// Takes some rows of the matrix, so that a large one needs no whole plain copy.
  /// - Precondition: They begin at a multiple of the panels' width and end at one, or at the last row.
  public func fill(rows range: Range<Int>, from values: [Float]) {
    precondition(values.count == range.count * columns, "the values are not those of the rows")
    changed()
    if element == .bfloat16 { lie(inPairs: false) }
    let part = layout.part(range)
    let start = range.lowerBound * columns
    values.withUnsafeBufferPointer { plain in
      guard let plain = plain.baseAddress else { return }
      if element == .float32 {
        part.pack(plain, into: memory.start + start, zero: 0) { $0 }
      } else {
        part.pack(plain, into: memory.halves + start, zero: 0, HalfPrecision.bfloat16)
      }
    }
  }

  /// Row-major values [rows, columns], widened where they are bfloat16.
  public var values: [Float] { values(rows: 0..<rows) }

  /// Some rows of the matrix, whole panels, in row-major order.
  public func values(rows range: Range<Int>) -> [Float] {
    if element == .bfloat16 { lie(inPairs: false) }
    let part = layout.part(range)
    let start = range.lowerBound * columns
    return [Float](unsafeUninitializedCapacity: range.count * columns) { buffer, count in
      if let plain = buffer.baseAddress {
        if element == .float32 {
          part.unpack(memory.start + start, into: plain) { $0 }
        } else {
          part.unpack(memory.halves + start, into: plain, HalfPrecision.float(bfloat16:))
        }
      }
      count = range.count * columns
    }
  }

  // MARK: The transpose

  /// Takes some columns of the matrix, each a row of its transpose.
  public func fill(columns range: Range<Int>, from values: [Float]) {
    precondition(values.count == range.count * rows, "the values are not those of the columns")
    changed()
    if element == .bfloat16 { lie(inPairs: false) }
    values.withUnsafeBufferPointer { plain in
      guard let plain = plain.baseAddress else { return }
      if element == .float32 {
        layout.packTransposed(plain, columns: range, into: memory.start, zero: 0) { $0 }
      } else {
        layout.packTransposed(
          plain, columns: range, into: memory.halves, zero: 0, HalfPrecision.bfloat16)
      }
    }
  }

  /// Some columns of the matrix, each as a row of its transpose.
  public func values(columns range: Range<Int>) -> [Float] {
    if element == .bfloat16 { lie(inPairs: false) }
    return [Float](unsafeUninitializedCapacity: range.count * rows) { buffer, count in
      if let plain = buffer.baseAddress {
        if element == .float32 {
          layout.unpackTransposed(memory.start, columns: range, into: plain) { $0 }
        } else {
          layout.unpackTransposed(
            memory.halves, columns: range, into: plain, HalfPrecision.float(bfloat16:))
        }
      }
      count = range.count * rows
    }
  }

  /// Adds one row [columns] to what is there.
  func addRow(_ row: Int, to destination: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < rows, "row \(row) of a matrix that has \(rows)")
    let start = layout.offset(row: row, column: 0)
    for column in 0..<columns {
      let place = start + column * PackedLayout.panelWidth
      destination[column] +=
        element == .float32
        ? memory.start[place] : HalfPrecision.float(bfloat16: memory.halves[place])
    }
  }

  /// Gives one row [columns]: the embedding of token `row`.
  func row(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < rows, "row \(row) of a matrix that has \(rows)")
    let start = layout.offset(row: row, column: 0)
    if element == .float32 {
      let source = memory.start + start
      for column in 0..<columns { destination[column] = source[column &* PackedLayout.panelWidth] }
    } else {
      for column in 0..<columns {
        destination[column] = HalfPrecision.float(
          bfloat16: memory.halves[offset(row: row, column: column)])
      }
    }
  }

  /// Where an element of a bfloat16 matrix lies now.
  private func offset(row: Int, column: Int) -> Int {
    guard liesInPairs else { return layout.offset(row: row, column: column) }
    let width = PackedLayout.panelWidth
    let pairs = (columns + 1) / 2
    return ((row / width * pairs + column / 2) * width + row % width) * 2 + column % 2
  }
}
