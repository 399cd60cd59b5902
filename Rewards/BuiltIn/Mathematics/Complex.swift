import Foundation

/// A complex number in double precision, as far as expressions need it.
struct Complex {
  var real: Double
  var imaginary: Double = 0

  static let i = Complex(real: 0, imaginary: 1)

  var magnitude: Double { hypot(real, imaginary) }
  var isFinite: Bool { real.isFinite && imaginary.isFinite }

  static func + (a: Complex, b: Complex) -> Complex {
    Complex(real: a.real + b.real, imaginary: a.imaginary + b.imaginary)
  }
  static func - (a: Complex, b: Complex) -> Complex {
    Complex(real: a.real - b.real, imaginary: a.imaginary - b.imaginary)
  }
  static func * (a: Complex, b: Complex) -> Complex {
    Complex(
      real: a.real * b.real - a.imaginary * b.imaginary,
      imaginary: a.real * b.imaginary + a.imaginary * b.real)
  }
  static func / (a: Complex, b: Complex) -> Complex {
    let square = b.real * b.real + b.imaginary * b.imaginary
    return Complex(
      real: (a.real * b.real + a.imaginary * b.imaginary) / square,
      imaginary: (a.imaginary * b.real - a.real * b.imaginary) / square)
  }

  var exponential: Complex {
    if imaginary == 0 { return Complex(real: exp(real)) }
    return Complex(real: exp(real) * cos(imaginary), imaginary: exp(real) * sin(imaginary))
  }

  /// The principal logarithm.
  var logarithm: Complex {
    Complex(real: log(magnitude), imaginary: atan2(imaginary, real))
  }

  /// The principal power; the real root where an odd one is taken of a negative number.
  func raised(to exponent: Complex) -> Complex {
    if imaginary == 0, exponent.imaginary == 0 {
      if real >= 0 || exponent.real == exponent.real.rounded() {
        return Complex(real: pow(real, exponent.real))
      }
      let degree = (1 / exponent.real).rounded()
      if abs(1 / exponent.real - degree) < 1e-9, degree.remainder(dividingBy: 2) != 0 {
        return Complex(real: -pow(-real, exponent.real))
      }
    }
    if magnitude == 0 { return Complex(real: 0) }
    return (logarithm * exponent).exponential
  }

  var squareRoot: Complex {
    imaginary == 0 && real >= 0
      ? Complex(real: real.squareRoot()) : raised(to: Complex(real: 0.5))
  }

  var sine: Complex {
    if imaginary == 0 { return Complex(real: sin(real)) }
    let (up, down) = (
      (Complex.i * self).exponential, (Complex(real: 0) - Complex.i * self).exponential
    )
    return (up - down) / Complex(real: 0, imaginary: 2)
  }

  var cosine: Complex {
    if imaginary == 0 { return Complex(real: cos(real)) }
    let (up, down) = (
      (Complex.i * self).exponential, (Complex(real: 0) - Complex.i * self).exponential
    )
    return (up + down) / Complex(real: 2)
  }
}
