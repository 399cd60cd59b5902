// Kinds of problems, found by what their texts are made of.
//
// A text is a vector of its character 3-grams, hashed into 256 places, in logarithmic counts and of length 1. k-means
// (Lloyd 1982) with k-means++ seeds (Arthur and Vassilvitskii 2007), keyed by Philox, sorts the vectors.

import Foundation
import Rollouts
import Tensors

/// Texts as vectors.
public struct TextVectors: Sendable {
  static let size = 256
  /// One vector per text, of length 1, or of zeros for an empty text.
  let vectors: [[Float]]

  /// The vectors of texts.
  public init(_ texts: [String]) { vectors = texts.map(Self.vector) }

  private static func vector(_ text: String) -> [Float] {
    var vector = [Float](repeating: 0, count: size)
    // Digits say how long a number is and not which: sums of other numbers are the same kind.
    let bytes = Array(text.lowercased().utf8).map { $0.isASCIIDigit ? UInt8(ascii: "0") : $0 }
    guard !bytes.isEmpty else { return vector }
    for start in 0...max(0, bytes.count - 3) {
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325
      for byte in bytes[start..<min(bytes.count, start + 3)] {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
      }
      vector[Int((hash ^ (hash >> 32)) & UInt64(size - 1))] += 1
    }
    vector = vector.map { Foundation.log(1 + $0) }
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return length > 0 ? vector.map { $0 / length } : vector
  }

  static func distance(_ a: [Float], _ b: [Float]) -> Float {
    var sum: Float = 0
    for index in a.indices {
      let difference = a[index] - b[index]
      sum += difference * difference
    }
    return sum
  }

  /// Rows in an order in which each is as far as can be from all before it (Gonzalez 1985).
  /// - Complexity: rows × count × 256.
  public func farthestFirst(_ count: Int, from first: Int = 0) -> [Int] {
    guard !vectors.isEmpty, count > 0 else { return [] }
    var order = [first]
    var nearest = vectors.map { Self.distance($0, vectors[first]) }
    while order.count < min(count, vectors.count) {
      var best = 0
      for index in nearest.indices where nearest[index] > nearest[best] { best = index }
      if nearest[best] <= 0 {
        // What is left equals something that is there: in the order of the rows.
        let chosen = Set(order)
        order += vectors.indices.filter { !chosen.contains($0) }.prefix(count - order.count)
        break
      }
      order.append(best)
      for index in nearest.indices {
        nearest[index] = min(nearest[index], Self.distance(vectors[index], vectors[best]))
      }
    }
    return order
  }

  /// The kind of each text, from 0; kinds are numbered by their size, the largest first.
  public func kinds(_ count: Int, seed: UInt64) -> [Int] {
    guard !vectors.isEmpty, count > 0 else { return vectors.map { _ in 0 } }
    var centres = seeds(min(count, vectors.count), seed: seed)
    var kinds = [Int](repeating: -1, count: vectors.count)
    for _ in 0..<30 {
      let next = vectors.map { vector in
        var best = (kind: 0, distance: Float.infinity)
        for (kind, centre) in centres.enumerated() {
          let distance = Self.distance(vector, centre)
          if distance < best.distance { best = (kind, distance) }
        }
        return best.kind
      }
      if next == kinds { break }
      kinds = next
      for kind in centres.indices {
        let members = vectors.indices.filter { kinds[$0] == kind }
        guard !members.isEmpty else { continue }
        var sum = [Float](repeating: 0, count: Self.size)
        for member in members {
          for place in sum.indices { sum[place] += vectors[member][place] }
        }
        centres[kind] = sum.map { $0 / Float(members.count) }
      }
    }
    let sizes = Dictionary(grouping: kinds) { $0 }.mapValues(\.count)
    let order = sizes.keys.sorted { (sizes[$1] ?? 0, $0) < (sizes[$0] ?? 0, $1) }
    let number = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    return kinds.map { number[$0] ?? 0 }
  }

  private func seeds(_ count: Int, seed: UInt64) -> [[Float]] {
    let stream = Philox(seed: seed, purpose: .data, step: 1)
    var centres = [vectors[stream.integer(below: vectors.count, at: 0)]]
    var nearest = vectors.map { Self.distance($0, centres[0]) }
    while centres.count < count {
      let total = nearest.reduce(0.0) { $0 + Double($1) }
      // Fewer different texts than kinds.
      guard total > 0 else { break }
      var left = stream.uniform(at: centres.count) * total
      var chosen = vectors.count - 1
      for index in nearest.indices {
        left -= Double(nearest[index])
        if left < 0 {
          chosen = index
          break
        }
      }
      centres.append(vectors[chosen])
      for index in nearest.indices {
        nearest[index] = min(nearest[index], Self.distance(vectors[index], vectors[chosen]))
      }
    }
    return centres
  }
}
