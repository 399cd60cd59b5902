import Foundation
import Testing

@testable import Audits

@Suite("Projection of cost")
struct CostProjectionTests {
  /// DeepSeek-V3's technical report (arXiv 2412.19437), section 1 and table 1.
  @Test("DeepSeek-V3's published figures: hours, dollars, operations")
  func deepSeek() throws {
    // Table 1: pre-training 2,664K, context extension 119K, post-training 5K H800 hours; 2 dollars each.
    let hours = 2664e3 + 119e3 + 5e3
    #expect(hours == 2.788e6)
    #expect(CostPrices(perDeviceHour: 2).money(deviceHours: hours) == 5.576e6)
    // 14.8T tokens of 37B active parameters: 3.29e24 operations, in 2,664K hours 343 TFLOP/s, 35% of an H800's peak.
    let operations = trainingOperations(activeParameters: 37e9, tokens: 14.8e12)
    #expect(abs(operations - 3.2856e24) < 1e20)
    let rate = operations / (2664e3 * 3600)
    let h800 = try #require(CostHardware.known.first { $0.name == "h800" })
    #expect(abs(rate / h800.peak - 0.3463) < 1e-3)
    // 180K hours per trillion tokens, as section 1 says; two months on 2,048 devices.
    #expect(abs(2664e3 / 14.8 - 180e3) < 1e-6)
    let seconds = CostRates(sampling: rate, update: rate).seconds([.update: operations])
    #expect(abs((seconds[.update] ?? 0) / 3600 - 2664e3) < 1)
    #expect((seconds[.update] ?? 0) / 2048 / 86400 < 60)
  }

  @Test("A step's operations, worked by hand")
  func operations() {
    // Two prompts of 4 tokens, 3 completions of 2: prefill 8 tokens, decode 12; f = 10 + context, + 5 with vocabulary.
    let workload = CostWorkload(
      steps: 1, prompts: 2, group: 3, promptLength: 4, completionLength: 2, iterations: 2,
      hasReference: true)
    let operations = workload.operations { 10 + $0 + ($1 ? 5 : 0) }
    let (prefill, decode) = (8 * 12.0, 12 * 20.0)
    #expect(operations[.prefill] == prefill && operations[.decode] == decode)
    #expect(operations[.reference] == prefill + decode)
    #expect(operations[.update] == 6 * (prefill + decode))
  }

  @Test("Measured rates give back the time that was measured, with the steps' spread as error")
  func measured() throws {
    let steps = [1.0, 1.1, 0.9, 1.0].map { pace in
      (sampling: (operations: 1e9, seconds: 2 * pace), update: (operations: 3e9, seconds: pace))
    }
    let rates = try #require(CostRates.measured(steps))
    let seconds = rates.seconds([.decode: 4e9, .update: 12e9])
    #expect(abs(seconds.values.reduce(0, +) - 12) < 1e-9)
    let deviation = (0.02 / 3).squareRoot()
    #expect(abs((rates.error ?? 0) - 1.959963984540054 * deviation / 2) < 1e-9)
    #expect(CostRates.measured([]) == nil)
  }

  @Test("Energy, money and CO2 by the user's prices; what has no price is not said")
  func prices() {
    let prices = CostPrices(
      perDeviceHour: 1, watts: 500, perKilowattHour: 0.4, gramsPerKilowattHour: 300)
    #expect(prices.energy(deviceHours: 10) == 5 && prices.money(deviceHours: 10) == 12)
    #expect(prices.carbon(deviceHours: 10) == 1.5)
    #expect(CostPrices().money(deviceHours: 10) == nil)
    #expect(CostPrices(perKilowattHour: 1).money(deviceHours: 10) == nil)
  }
}
