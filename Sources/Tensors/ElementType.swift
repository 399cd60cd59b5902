/// How a number is held, in memory and in files.
public enum ElementType: String, Sendable, CaseIterable {
  /// IEEE 754 single precision.
  case float32 = "F32"
  /// The upper half of single precision.
  case bfloat16 = "BF16"
  /// IEEE 754 half precision.
  case float16 = "F16"
  /// IEEE 754 double precision: read, and rounded to single; never written.
  case float64 = "F64"

  /// The types that are written.
  public static let writable: [ElementType] = [.float32, .bfloat16, .float16]

  /// Bytes of one value.
  public var size: Int {
    switch self {
    case .float64: 8
    case .float32: 4
    case .bfloat16, .float16: 2
    }
  }

  /// PyTorch's name, as config.json's `dtype` has it.
  public var torchName: String {
    switch self {
    case .float32: "float32"
    case .bfloat16: "bfloat16"
    case .float16: "float16"
    case .float64: "float64"
    }
  }
}

// Conversions between storage and float32. Narrowing rounds to nearest, ties to even; what is too
// large becomes infinite, as in PyTorch; a NaN stays one. Widening is exact.
enum HalfPrecision {
  static func float(bfloat16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    // Rounding could carry a NaN's payload into infinity.
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x0040 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  static func float(float16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    // Half's exponent placed in single's is 112 too small; the product also normalises subnormals.
    let magnitude = Float(bitPattern: UInt32(bits & 0x7FFF) << 13) * 0x1p112
    let isFinite = bits & 0x7C00 != 0x7C00
    let pattern = isFinite ? magnitude.bitPattern : magnitude.bitPattern | 0x7F80_0000
    return Float(bitPattern: pattern | sign)
  }

  static func float16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16 & 0x8000)
    let magnitude = bits & 0x7FFF_FFFF
    // 65520 is halfway between the largest half, 65504, and the next power: it rounds up.
    if magnitude >= 0x477F_F000 {
      guard magnitude > 0x7F80_0000 else { return sign | 0x7C00 }
      return sign | 0x7E00 | UInt16(truncatingIfNeeded: magnitude >> 13 & 0x1FF)
    }
    // Below 2^-14 halves are multiples of 2^-24: adding 0.5 lets the processor round to them.
    if magnitude < 0x3880_0000 {
      let rounded = Float(bitPattern: magnitude) + 0.5
      return sign | UInt16(truncatingIfNeeded: rounded.bitPattern &- 0x3F00_0000)
    }
    let rounded = magnitude &+ 0xFFF &+ (magnitude >> 13 & 1)
    return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) >> 13)
  }
}

extension ElementType {
  /// Brings stored values to float32: widened exactly, doubles rounded; `source` need not be aligned.
  public func widen(
    _ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(source.count == target.count * size, "source and target differ in length")
    switch self {
    case .float32:
      UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
    case .bfloat16:
      for index in 0..<target.count {
        target[index] = HalfPrecision.float(
          bfloat16: source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
      }
    case .float64:
      for index in 0..<target.count {
        target[index] = Float(source.loadUnaligned(fromByteOffset: 8 * index, as: Double.self))
      }
    case .float16:
      for index in 0..<target.count {
        target[index] = HalfPrecision.float(
          float16: source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
      }
    }
  }

  /// Narrows float32 values to halves; for the two types of 16 bits alone.
  public func narrow(
    _ source: UnsafeBufferPointer<Float>, into target: UnsafeMutableBufferPointer<UInt16>
  ) {
    precondition(source.count <= target.count, "the target is too short")
    if self == .bfloat16 {
      for index in 0..<source.count { target[index] = HalfPrecision.bfloat16(source[index]) }
    } else {
      for index in 0..<source.count { target[index] = HalfPrecision.float16(source[index]) }
    }
  }
}
