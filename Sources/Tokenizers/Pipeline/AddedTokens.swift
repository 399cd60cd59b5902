import Rollouts

/// A token that is found in text as a whole, before anything else looks at it.
struct AddedToken: Sendable {
  var id: UInt32
  var content: [UInt8]
  /// Whether it counts only between characters that are not part of a word.
  var isSingleWord = false
  /// Whether it takes the white space before it along.
  var stripsLeft = false
  /// Whether it takes the white space after it along.
  var stripsRight = false
  /// Whether it is looked for in the normalized text.
  var isNormalized = false
  /// Whether decoding may leave it out.
  var isSpecial = false
}

/// Finds added tokens in text: the leftmost first, the longest of those that start together.
struct AddedTokenMatcher: Sendable {
  /// A node's edges lie together; a token ends where `token` is not negative.
  private struct Node {
    var edges: [(byte: UInt8, node: Int32)] = []
    var token: Int32 = -1
  }

  private var nodes = [Node()]
  private var tokens: [AddedToken] = []
  private var isFirstByte = [Bool](repeating: false, count: 256)

  /// Whether there is nothing to find.
  var isEmpty: Bool { tokens.isEmpty }

  init() {}

  /// Adds a token, looked for by a text that may differ from its content.
  mutating func insert(_ token: AddedToken, spelt text: [UInt8]) {
    guard let first = text.first else { return }
    isFirstByte[Int(first)] = true
    var node = 0
    for byte in text {
      if let edge = nodes[node].edges.first(where: { $0.byte == byte }) {
        node = Int(edge.node)
      } else {
        nodes.append(Node())
        nodes[node].edges.append((byte, Int32(nodes.count - 1)))
        node = nodes.count - 1
      }
    }
    nodes[node].token = Int32(tokens.count)
    tokens.append(token)
  }

  /// A stretch of text: ordinary, or one that an added token stands for.
  enum Piece {
    case text(Range<Int>)
    case token(UInt32)
  }

  /// Visits the pieces of the text in order.
  func forEachPiece(in bytes: UTF8Bytes, _ body: (Piece) -> Void) {
    guard !bytes.isEmpty else { return }
    var end = 0
    var index = 0
    while !isEmpty, index < bytes.count {
      guard isFirstByte[Int(bytes[index])], let (token, after) = longest(in: bytes, at: index)
      else {
        index += 1
        continue
      }
      let start = index
      index = after
      if token.isSingleWord, touchesWord(bytes, start, after) { continue }
      let (left, right) = widened(token, bytes, start, after, limit: end)
      // What the token before has taken along already is no token of its own: the reference library
      // moves the start of one that strips its left there, and may find nothing left.
      if token.stripsLeft, max(left, end) >= right {
        end = right
        continue
      }
      if left > end { body(.text(end..<left)) }
      body(.token(token.id))
      end = right
    }
    if end < bytes.count { body(.text(end..<bytes.count)) }
  }

  private func longest(in bytes: UTF8Bytes, at start: Int) -> (token: AddedToken, end: Int)? {
    var node = 0
    var best: (Int32, Int)?
    var index = start
    while index < bytes.count,
      let edge = nodes[node].edges.first(where: { $0.byte == bytes[index] })
    {
      node = Int(edge.node)
      index += 1
      if nodes[node].token >= 0 { best = (nodes[node].token, index) }
    }
    return best.map { (tokens[Int($0.0)], $0.1) }
  }

  private func touchesWord(_ bytes: UTF8Bytes, _ start: Int, _ end: Int) -> Bool {
    let table = ScalarProperties.Table.shared
    if start > 0, table[bytes.scalar(at: bytes.index(before: start)).value].isWord { return true }
    return end < bytes.count && table[bytes.scalar(at: end).value].isWord
  }

  private func widened(
    _ token: AddedToken, _ bytes: UTF8Bytes, _ start: Int, _ end: Int, limit: Int
  ) -> (Int, Int) {
    let table = ScalarProperties.Table.shared
    var left = start
    var right = end
    while token.stripsLeft, left > limit, case let before = bytes.index(before: left),
      table[bytes.scalar(at: before).value].isSpace
    {
      left = before
    }
    while token.stripsRight, right < bytes.count,
      case let (value, length) = bytes.scalar(at: right),
      table[value].isSpace
    {
      right += length
    }
    return (left, right)
  }
}
