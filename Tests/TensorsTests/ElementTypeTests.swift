import Foundation
import Testing

@testable import Tensors

@Suite("Half precisions")
struct ElementTypeTests {
  @Test("Every half widens exactly, and narrows back to itself")
  func allHalves() {
    for bits in UInt16.min...UInt16.max {
      let expected = Float(Float16(bitPattern: bits))
      let found = HalfPrecision.float(float16: bits)
      if expected.isNaN {
        #expect(found.isNaN)
        #expect(HalfPrecision.float(float16: HalfPrecision.float16(found)).isNaN)
      } else if found.bitPattern != expected.bitPattern
        || HalfPrecision.float16(found) != bits
      {
        Issue.record("half \(bits): \(found), expected \(expected)")
      }
    }
  }

  @Test("Every brain float widens exactly, and narrows back to itself")
  func allBrainFloats() {
    for bits in UInt16.min...UInt16.max {
      let found = HalfPrecision.float(bfloat16: bits)
      if found.isNaN {
        #expect(HalfPrecision.float(bfloat16: HalfPrecision.bfloat16(found)).isNaN)
      } else if HalfPrecision.bfloat16(found) != bits {
        Issue.record("brain float \(bits) narrows to \(HalfPrecision.bfloat16(found))")
      }
    }
  }

  @Test("Narrowing to half rounds as the processor does, ties to even")
  func roundingToHalf() {
    // Every exponent and sign, with the mantissas around each rounding boundary.
    let mantissas: [UInt32] = [
      0, 1, 0xFFF, 0x1000, 0x1001, 0x1FFF, 0x2FFF, 0x3000, 0x3001, 0x40_0000, 0x7F_EFFF,
      0x7F_F000, 0x7F_FFFF, 0x55_5555,
    ]
    for exponent in UInt32(0)..<255 {
      for mantissa in mantissas {
        for sign in [UInt32(0), 0x8000_0000] {
          let value = Float(bitPattern: sign | exponent << 23 | mantissa)
          if HalfPrecision.float16(value) != Float16(value).bitPattern {
            Issue.record("\(value) narrows to \(HalfPrecision.float16(value))")
          }
        }
      }
    }
    #expect(HalfPrecision.float16(.infinity) == 0x7C00)
    #expect(HalfPrecision.float16(-.infinity) == 0xFC00)
  }

  @Test("Narrowing to brain float takes the nearest of the two neighbours, the even one at a tie")
  func roundingToBrainFloat() {
    #expect(HalfPrecision.bfloat16(Float(bitPattern: 0x3F80_8000)) == 0x3F80)
    #expect(HalfPrecision.bfloat16(Float(bitPattern: 0x3F81_8000)) == 0x3F82)
    #expect(HalfPrecision.bfloat16(Float(bitPattern: 0x3F80_8001)) == 0x3F81)
    #expect(HalfPrecision.bfloat16(Float(bitPattern: 0x3F80_7FFF)) == 0x3F80)
    #expect(HalfPrecision.bfloat16(.greatestFiniteMagnitude) == 0x7F80)
    #expect(HalfPrecision.bfloat16(-0.0) == 0x8000)
    // Rounding a NaN's payload must not make an infinity of it.
    #expect(
      HalfPrecision.float(bfloat16: HalfPrecision.bfloat16(Float(bitPattern: 0x7F80_0001))).isNaN)
  }

  @Test("Doubles are rounded to the nearest single, ties to even")
  func doubles() {
    let values: [Double] = [
      0.1, 1 + 0x1p-24, 1 + 0x1p-23 + 0x1p-24, -0.0, 1e300, 0x1p-149, 0x1p-150, .infinity,
    ]
    let expected: [Float] = [0.1, 1, 1 + 0x1p-22, -0.0, .infinity, 0x1p-149, 0, .infinity]
    var found = [Float](repeating: .nan, count: values.count)
    values.withUnsafeBytes { bytes in
      found.withUnsafeMutableBufferPointer { ElementType.float64.widen(bytes, into: $0) }
    }
    #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
  }
}
