import Foundation

/// What an answer must be, from its first character to its last. Where `maxTokens` cuts the answer
/// it is only the beginning of one; its finish reason is then ``Answer/FinishReason/length``.
public enum ResponseFormat: Sendable, Equatable {
  /// JSON that validates against this JSON Schema, which is given as JSON text.
  case schema(String)
  /// One of these texts.
  case choices([String])
  /// A text that this regular expression matches.
  case pattern(String)
}

extension ResponseFormat: JSONText {
  var json: String {
    switch self {
    case .schema(let text): return #"{"schema":\#(text)}"#
    case .choices(let texts): return #"{"choices":\#(texts.json)}"#
    case .pattern(let expression): return #"{"pattern":\#(expression.json)}"#
    }
  }

  /// A schema becomes part of the request, so it has to be one JSON value.
  func check() throws {
    guard case .schema(let text) = self else { return }
    do {
      _ = try JSONSerialization.jsonObject(with: Data(text.utf8), options: [.fragmentsAllowed])
    } catch {
      throw TinyVLMError(.invalidArgument, "responseFormat: the schema is not JSON: \(error)")
    }
  }
}
