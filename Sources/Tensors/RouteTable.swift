/// Which experts rows are sent to: for each row the chosen experts of every layer that has experts, in ascending order, one
/// layer behind the other.
public struct RouteTable: Sendable, Equatable {
  /// Σ k over the layers.
  public let width: Int
  /// The experts by number, row by row.
  public private(set) var experts: [UInt16]

  /// The routes of rows.
  public init(width: Int, experts: [UInt16] = []) {
    precondition(width > 0 && experts.count % width == 0, "routes are whole rows")
    self.width = width
    self.experts = experts
  }

  /// Room for rows.
  public init(rows: Int, width: Int) {
    self.init(width: width, experts: [UInt16](repeating: 0, count: rows * width))
  }

  /// How many rows there are.
  public var rows: Int { experts.count / width }

  /// Some of the rows.
  public subscript(range: Range<Int>) -> RouteTable {
    RouteTable(
      width: width, experts: Array(experts[range.lowerBound * width..<range.upperBound * width]))
  }

  /// Puts rows behind these.
  public mutating func append(_ other: RouteTable) {
    precondition(other.width == width, "routes of one model")
    experts.append(contentsOf: other.experts)
  }

  /// Takes a layer's choices [R, k], whose place in a row begins at `column`.
  public mutating func store(_ choices: Tensor, at column: Int) {
    precondition(choices.rows == rows && column + choices.columns <= width, "a row for each row")
    for row in 0..<rows {
      let source = choices[row: row]
      for choice in 0..<choices.columns {
        experts[row * width + column + choice] = UInt16(source[choice])
      }
    }
  }

  /// Gives a layer's choices.
  public func load(_ column: Int, into choices: Tensor) {
    precondition(choices.rows == rows && column + choices.columns <= width, "a row for each row")
    for row in 0..<rows {
      let target = choices[row: row]
      for choice in 0..<choices.columns {
        target[choice] = Float(experts[row * width + column + choice])
      }
    }
  }
}
