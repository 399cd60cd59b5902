extension TemplateFilters {
  static let lists: [String: Filter] = [
    "length": { (run, value, _, line) throws(TemplateFault) in
      switch value {
      case .string(let text):
        try run.charge(text.utf8.count / 64, line)
        return .integer(text.unicodeScalars.count)
      case .dictionary(let members): return .integer(members.count)
      default: return .integer(try run.elements(of: value, line).count)
      }
    },
    "first": { (run, value, _, line) throws(TemplateFault) in
      try run.elements(of: value, line).first ?? .undefined("there is no first item")
    },
    "last": { (run, value, _, line) throws(TemplateFault) in
      try run.elements(of: value, line).last ?? .undefined("there is no last item")
    },
    "list": { (run, value, _, line) throws(TemplateFault) in
      .list(try run.elements(of: value, line))
    },
    "join": { (run, value, call, line) throws(TemplateFault) in
      var items = try run.elements(of: value, line)
      if let attribute = call.argument(1, "attribute") {
        items = try values(of: attribute, items, run, line)
      }
      return try run.join(
        items, try run.string(of: call.argument(0, "d") ?? .string(""), line), line)
    },
    "reverse": { (run, value, _, line) throws(TemplateFault) in
      if case .string(let text) = value {
        try run.chargeReading(text, line)
        return try run.text(PythonString.string(text.unicodeScalars.reversed()), line)
      }
      let items = try run.elements(of: value, line)
      try run.checkList(items.count, line)
      return .list(items.reversed())
    },
    "items": { (run, value, _, line) throws(TemplateFault) in
      if value.isUndefined { return .list([]) }
      guard case .dictionary(let members) = value else {
        throw TemplateFault(line: line, reason: "a \(value.typeName) has no items")
      }
      try run.checkList(members.count, line)
      return .list(members.entries.map { .tuple([$0.key, $0.value]) })
    },
    "dictsort": { (run, value, call, line) throws(TemplateFault) in
      guard case .dictionary(let members) = value else {
        throw TemplateFault(line: line, reason: "a \(value.typeName) is no dictionary")
      }
      var byValue = false
      if case .string("value")? = call.argument(1, "by") { byValue = true }
      let pairs = members.entries.map { TemplateValue.tuple([$0.key, $0.value]) }
      let keys = members.entries.map { byValue ? $0.value : $0.key }
      return .list(
        try sorted(
          pairs, by: keys, caseSensitive: call.argument(0, "case_sensitive")?.isTrue ?? false,
          isReverse: call.argument(2, "reverse")?.isTrue ?? false, run, line))
    },
    "sort": { (run, value, call, line) throws(TemplateFault) in
      let items = try run.elements(of: value, line)
      let keys = try call.argument(2, "attribute").map { (attribute) throws(TemplateFault) in
        try values(of: attribute, items, run, line)
      }
      return .list(
        try sorted(
          items, by: keys ?? items,
          caseSensitive: call.argument(1, "case_sensitive")?.isTrue ?? false,
          isReverse: call.argument(0, "reverse")?.isTrue ?? false, run, line))
    },
    "unique": { (run, value, call, line) throws(TemplateFault) in
      let items = try run.elements(of: value, line)
      let keys = try call.argument(1, "attribute").map { (attribute) throws(TemplateFault) in
        try values(of: attribute, items, run, line)
      }
      let folds = call.argument(0, "case_sensitive")?.isTrue != true
      var seen: Set<TemplateDictionary.Key> = []
      var result: [TemplateValue] = []
      try run.checkList(items.count, line)
      for (item, key) in zip(items, keys ?? items) {
        try run.charge(key.keyCost, line)
        let folded = folds ? try lowercased(key, run, line) : key
        guard let place = TemplateDictionary.Key(folded) else {
          throw TemplateFault(line: line, reason: "a \(key.typeName) can't be compared")
        }
        if seen.insert(place).inserted { result.append(item) }
      }
      return .list(result)
    },
    "min": { (run, value, call, line) throws(TemplateFault) in
      try extreme(value, call, isMaximum: false, run, line)
    },
    "max": { (run, value, call, line) throws(TemplateFault) in
      try extreme(value, call, isMaximum: true, run, line)
    },
    "sum": { (run, value, call, line) throws(TemplateFault) in
      var items = try run.elements(of: value, line)
      if let attribute = call.argument(0, "attribute"), !attribute.isNone {
        items = try values(of: attribute, items, run, line)
      }
      var sum = call.argument(1, "start") ?? .integer(0)
      for item in items { sum = try run.arithmetic(.add, sum, item, line) }
      return sum
    },
    "batch": { (run, value, call, line) throws(TemplateFault) in
      let items = try run.elements(of: value, line)
      guard let count = call.argument(0, "linecount")?.int, count > 0 else {
        throw TemplateFault(line: line, reason: "batch needs a size above zero")
      }
      try run.checkList(items.count, line)
      var batches: [TemplateValue] = []
      var start = 0
      while start < items.count {
        var batch = Array(items[start..<min(start + min(count, items.count), items.count)])
        if let fill = call.argument(1, "fill_with"), !fill.isNone, batch.count < count {
          try run.checkList(count, line)
          batch += Array(repeating: fill, count: count - batch.count)
        }
        batches.append(.list(batch))
        start += min(count, items.count)
      }
      return .list(batches)
    },
    "slice": { (run, value, call, line) throws(TemplateFault) in
      let items = try run.elements(of: value, line)
      guard let count = call.argument(0, "slices")?.int, count > 0 else {
        throw TemplateFault(line: line, reason: "slice needs a number above zero")
      }
      try run.checkList(max(count, items.count), line)
      let fill = call.argument(1, "fill_with") ?? .none
      let size = items.count / count
      let longer = items.count % count
      var slices: [TemplateValue] = []
      var start = 0
      for index in 0..<count {
        let end = start + size + (index < longer ? 1 : 0)
        var slice = Array(items[start..<end])
        if !fill.isNone, longer > 0, index >= longer { slice.append(fill) }
        slices.append(.list(slice))
        start = end
      }
      return .list(slices)
    },
  ]

  private static func lowercased(
    _ value: TemplateValue, _ run: TemplateEvaluator, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard case .string(let text) = value else { return value }
    try run.chargeReading(text, line)
    return try run.text(text.lowercased(), line)
  }

  private static func lowercased(
    _ values: [TemplateValue], _ run: TemplateEvaluator, _ line: Int
  ) throws(TemplateFault) -> [TemplateValue] {
    try values.map { (value) throws(TemplateFault) in try lowercased(value, run, line) }
  }

  private static func sorted(
    _ items: [TemplateValue], by keys: [TemplateValue], caseSensitive: Bool, isReverse: Bool,
    _ run: TemplateEvaluator, _ line: Int
  ) throws(TemplateFault) -> [TemplateValue] {
    try run.checkList(items.count, line)
    try run.charge(items.count, line)
    let keys = caseSensitive ? keys : try lowercased(keys, run, line)
    for pair in zip(keys, keys.dropFirst())
    where try run.isLess(pair.0, pair.1, line) == nil {
      throw TemplateFault(
        line: line, reason: "a \(pair.0.typeName) and a \(pair.1.typeName) have no order")
    }
    // Stable either way, as in Python.
    let order = try run.comparing(line) { budget in
      keys.indices.sorted { left, right in
        let first = isReverse ? right : left
        let second = isReverse ? left : right
        if keys[first].isLess(than: keys[second], budget: &budget) == true { return true }
        if keys[second].isLess(than: keys[first], budget: &budget) == true { return false }
        return left < right
      }
    }
    return order.map { items[$0] }
  }

  private static func extreme(
    _ value: TemplateValue, _ call: TemplateCall, isMaximum: Bool, _ run: TemplateEvaluator,
    _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    let items = try run.elements(of: value, line)
    guard var best = items.first else { return .undefined("there is no item") }
    let keys = try call.argument(1, "attribute").map { (attribute) throws(TemplateFault) in
      try values(of: attribute, items, run, line)
    }
    let folds = call.argument(0, "case_sensitive")?.isTrue != true
    let compared = folds ? try lowercased(keys ?? items, run, line) : keys ?? items
    var bestKey = compared[0]
    for (item, key) in zip(items, compared).dropFirst() {
      let isBetter =
        isMaximum ? try run.isLess(bestKey, key, line) : try run.isLess(key, bestKey, line)
      guard let isBetter else {
        throw TemplateFault(
          line: line, reason: "a \(key.typeName) and a \(bestKey.typeName) have no order")
      }
      if isBetter { (best, bestKey) = (item, key) }
    }
    return best
  }

  /// The attribute of each item, by a name with dots (`function.name`) or an index.
  static func values(
    of attribute: TemplateValue, _ items: [TemplateValue], _ run: TemplateEvaluator, _ line: Int,
    default fallback: TemplateValue? = nil
  ) throws(TemplateFault) -> [TemplateValue] {
    let path: [TemplateValue]
    if case .string(let name) = attribute {
      path = try run.split(name, ".", limit: -1, line).map { part in
        Int(part).map { .integer($0) } ?? .string(part)
      }
    } else {
      path = [attribute]
    }
    var result: [TemplateValue] = []
    result.reserveCapacity(items.count)
    for item in items {
      try run.charge(path.count, line)
      var value = item
      for key in path { value = try run.item(key, of: value, line) }
      if let fallback, value.isUndefined { value = fallback }
      result.append(value)
    }
    return result
  }

  // MARK: map, select and their kin

  static let selections: [String: Filter] = [
    "map": { (run, value, call, line) throws(TemplateFault) in
      // As in Jinja, whatever is false (none too) has no elements here.
      guard value.isTrue else { return .list([]) }
      let items = try run.elements(of: value, line)
      if let attribute = call.named.first(where: { $0.name == "attribute" })?.value {
        let fallback = call.named.first { $0.name == "default" }?.value
        return .list(try values(of: attribute, items, run, line, default: fallback))
      }
      guard case .string(let name)? = call.positional.first else {
        throw TemplateFault(line: line, reason: "map needs a filter's name or attribute=…")
      }
      var rest = call
      rest.positional.removeFirst()
      var result: [TemplateValue] = []
      for item in items {
        try run.charge(1, line)
        result.append(try run.applyFilter(name, to: item, rest, line))
      }
      return .list(result)
    },
    "select": { (run, value, call, line) throws(TemplateFault) in
      try selected(value, call, byAttribute: false, keeps: true, run, line)
    },
    "reject": { (run, value, call, line) throws(TemplateFault) in
      try selected(value, call, byAttribute: false, keeps: false, run, line)
    },
    "selectattr": { (run, value, call, line) throws(TemplateFault) in
      try selected(value, call, byAttribute: true, keeps: true, run, line)
    },
    "rejectattr": { (run, value, call, line) throws(TemplateFault) in
      try selected(value, call, byAttribute: true, keeps: false, run, line)
    },
    "groupby": { (run, value, call, line) throws(TemplateFault) in
      let items = try run.elements(of: value, line)
      guard let attribute = call.argument(0, "attribute") else {
        throw TemplateFault(line: line, reason: "groupby needs an attribute")
      }
      let keys = try values(of: attribute, items, run, line, default: call.argument(1, "default"))
      let folded = try lowercased(keys, run, line)
      let order = try sorted(
        Array(keys.indices).map { .integer($0) }, by: folded, caseSensitive: true, isReverse: false,
        run, line)
      try run.checkList(items.count, line)
      var last: TemplateValue?
      var groups: [(key: TemplateValue, items: [TemplateValue])] = []
      for index in order.compactMap(\.int) {
        defer { last = folded[index] }
        if let last, try run.isEqual(last, folded[index], line) {
          groups[groups.count - 1].items.append(items[index])
        } else {
          groups.append((keys[index], [items[index]]))
        }
      }
      return .list(groups.map { .tuple([$0.key, .list($0.items)]) })
    },
  ]

  private static func selected(
    _ value: TemplateValue, _ call: TemplateCall, byAttribute: Bool, keeps: Bool,
    _ run: TemplateEvaluator, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard value.isTrue else { return .list([]) }
    let items = try run.elements(of: value, line)
    try run.checkList(items.count, line)
    var rest = call
    var keys = items
    if byAttribute {
      guard !rest.positional.isEmpty else {
        throw TemplateFault(line: line, reason: "an attribute's name is missing")
      }
      keys = try values(of: rest.positional.removeFirst(), items, run, line)
    }
    var test: String?
    if !rest.positional.isEmpty { test = try run.string(of: rest.positional.removeFirst(), line) }
    var result: [TemplateValue] = []
    for (item, key) in zip(items, keys) {
      try run.charge(1, line)
      var isChosen = key.isTrue
      if let test { isChosen = try run.applyTest(test, to: key, rest, line) }
      if isChosen == keeps { result.append(item) }
    }
    return .list(result)
  }
}
