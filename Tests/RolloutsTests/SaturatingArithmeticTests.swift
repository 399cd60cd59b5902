import Rollouts
import Testing

@Suite("Arithmetic that stops at the ends of Int")
struct SaturatingArithmeticTests {
  @Test("Sums, differences and products that fit are Swift's own; others are the nearer end")
  func ends() {
    let numbers = [Int.min, .min + 1, -(1 << 40), -2, -1, 0, 1, 2, 1 << 40, .max - 1, .max]
    for left in numbers {
      for right in numbers {
        let (sum, sumOverflows) = left.addingReportingOverflow(right)
        #expect(left +| right == (sumOverflows ? (left > 0 ? .max : .min) : sum))
        let (difference, differenceOverflows) = left.subtractingReportingOverflow(right)
        #expect(left -| right == (differenceOverflows ? (left >= 0 ? .max : .min) : difference))
        let (product, productOverflows) = left.multipliedReportingOverflow(by: right)
        #expect(
          left *| right
            == (productOverflows ? (left.signum() * right.signum() > 0 ? .max : .min) : product))
      }
    }
  }

  @Test(
    "A number's whole part",
    arguments: [
      (1.9, 1), (-1.9, -1), (0, 0), (.nan, 0), (.infinity, .max), (-.infinity, .min), (1e300, .max),
      (-1e300, .min), (0x1p63, .max), (-0x1p63, .min), (.leastNonzeroMagnitude, 0),
    ] as [(Double, Int)])
  func wholePart(number: Double, whole: Int) { #expect(Int(clamping: number) == whole) }

  @Test("Sums and products of lists; 0 makes a product 0 wherever it stands")
  func lists() {
    #expect([Int.max, 1].saturatingSum == .max)
    #expect([1 << 62, 1 << 62, 0].saturatingProduct == 0)
    #expect([0, 1 << 62, 1 << 62].saturatingProduct == 0)
    #expect([1 << 62, 4].saturatingProduct == .max)
    #expect([Int]().saturatingProduct == 1 && [Int]().saturatingSum == 0)
  }
}
