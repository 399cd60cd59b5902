/// The characters that differ from one in case only (simple folding, CaseFolding.txt).
enum CaseVariants {
  static func of(_ scalar: Unicode.Scalar) -> Set<Unicode.Scalar> {
    var variants: Set<Unicode.Scalar> = [scalar]
    var grew = true
    while grew {
      let before = variants.count
      for variant in variants {
        for mapping in [
          variant.properties.lowercaseMapping, variant.properties.uppercaseMapping,
          variant.properties.titlecaseMapping,
        ] where mapping.unicodeScalars.count == 1 {
          variants.formUnion(mapping.unicodeScalars)
        }
        for group in groups where group.contains(variant) { variants.formUnion(group) }
      }
      grew = variants.count > before
    }
    return variants
  }

  /// Letters whose variants no case mapping of theirs reaches.
  private static let groups: [[Unicode.Scalar]] = [
    ["s", "\u{17F}"], ["k", "\u{212A}"], ["\u{E5}", "\u{212B}"], ["\u{3BC}", "\u{B5}"],
    ["\u{3C3}", "\u{3C2}"], ["\u{3B2}", "\u{3D0}"], ["\u{3B8}", "\u{3D1}", "\u{3F4}"],
    ["\u{3C6}", "\u{3D5}"], ["\u{3C0}", "\u{3D6}"], ["\u{3BA}", "\u{3F0}"], ["\u{3C1}", "\u{3F1}"],
    ["\u{3B5}", "\u{3F5}"], ["\u{1E61}", "\u{1E9B}"], ["\u{3C9}", "\u{2126}"],
    ["\u{DF}", "\u{1E9E}"],
    ["\u{3B9}", "\u{345}", "\u{1FBE}"],
  ]
}
