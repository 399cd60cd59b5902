import Foundation

/// Finds every place of one text in another in time linear in both, whatever they hold.
///
/// Knuth, Morris and Pratt: where the text departs from the part, the part's own repeats say from
/// which of its bytes to go on, so that no byte of the text is looked at twice.
struct TextSearch {
  private let part: [UInt8]
  /// For each prefix of the part, the length of its longest proper prefix that is its suffix too.
  private let borders: [Int32]

  /// Prepares a search; parts are shorter than 2 GiB, as every text of a template is.
  init(_ part: some Sequence<UInt8>) {
    let part = Array(part)
    var borders = [Int32](repeating: 0, count: part.count)
    var length = 0
    for index in part.indices.dropFirst() {
      while length > 0, part[index] != part[length] { length = Int(borders[length - 1]) }
      if part[index] == part[length] { length += 1 }
      borders[index] = Int32(truncatingIfNeeded: length)
    }
    self.part = part
    self.borders = borders
  }

  /// Calls a closure with the offset of each place, from the left and without overlaps, until it
  /// answers false; an empty part has no place.
  func forEachPlace(in text: UnsafeBufferPointer<UInt8>, _ body: (Int) -> Bool) {
    guard let first = part.first, let base = text.baseAddress else { return }
    part.withUnsafeBufferPointer { part in
      borders.withUnsafeBufferPointer { borders in
        var index = 0
        var matched = 0
        while part.count - matched <= text.count - index {
          if matched == 0 {
            guard let next = memchr(base + index, Int32(first), text.count - index) else { return }
            index = UnsafeRawPointer(next) - UnsafeRawPointer(base) + 1
            matched = 1
          } else if text[index] == part[matched] {
            index += 1
            matched += 1
          } else {
            matched = Int(borders[matched - 1])
          }
          if matched == part.count {
            guard body(index - matched) else { return }
            matched = 0
          }
        }
      }
    }
  }
}
