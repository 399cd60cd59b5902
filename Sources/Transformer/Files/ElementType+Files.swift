import Tensors

extension ElementType {
  /// Bits of one value of every type that a safetensors file may name; nil for an unknown one.
  ///
  /// Values of the others can't be read here, but their extent can be checked.
  static func bitCount(named name: String) -> Int? {
    switch name {
    case "F4": 4
    case "F6_E2M3", "F6_E3M2": 6
    case "BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ": 8
    case "U16", "I16", "F16", "BF16": 16
    case "U32", "I32", "F32": 32
    case "U64", "I64", "F64", "C64": 64
    default: nil
    }
  }
}
