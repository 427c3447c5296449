import Foundation

/// A value that can be written as JSON for the engine.
protocol JSONText {
  var json: String { get }
}

extension Bool: JSONText { var json: String { self ? "true" : "false" } }
extension Int: JSONText { var json: String { String(self) } }
extension UInt32: JSONText { var json: String { String(self) } }
extension UInt64: JSONText { var json: String { String(self) } }
extension Double: JSONText { var json: String { String(self) } }

extension String: JSONText {
  var json: String {
    var quoted = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

extension Array: JSONText where Element: JSONText {
  var json: String { "[" + map(\.json).joined(separator: ",") + "]" }
}

extension JSONText where Self: RawRepresentable, RawValue == String {
  var json: String { rawValue.json }
}

/// A JSON object of those fields that have a value.
func jsonObject(_ fields: [(String, (any JSONText)?)]) -> String {
  let present = fields.compactMap { key, value in value.map { "\(key.json):\($0.json)" } }
  return "{" + present.joined(separator: ",") + "}"
}
