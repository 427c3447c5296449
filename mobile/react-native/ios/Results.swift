// What JavaScript gets (src/bridge.ts), from what the Swift package tells.

import Foundation
import TinyVLM

/// A ProgressEvent.
func progressEvent(_ model: Double, _ progress: LoadProgress) -> [String: Any] {
  [
    "model": model,
    "phase": progress.phase == .download ? "download" : "weights",
    "loadedBytes": progress.loadedBytes,
    "totalBytes": progress.totalBytes,
  ]
}

/// A ModelInfo.
func infoObject(_ info: ModelInfo) -> [String: Any] {
  [
    "name": info.name,
    "architecture": info.architecture,
    "fileBytes": info.fileBytes,
    "imageSize": info.imageSize,
    "imageTokens": info.imageTokens,
    "context": info.context,
    "maxContext": info.maxContext,
    "vocabulary": info.vocabulary,
    "threads": info.threads,
    "warnings": info.warnings,
  ]
}

/// A NativeAnswer.
func answerObject(_ answer: Answer) -> [String: Any] {
  let (usage, timings) = (answer.usage, answer.timings)
  var object: [String: Any] = [
    "text": answer.text,
    "finishReason": answer.finishReason.rawValue,
    "warnings": answer.warnings,
    "usage": [
      "promptTokens": usage.promptTokens,
      "imageTokens": usage.imageTokens,
      "encodedImages": usage.encodedImages,
      "reusedTokens": usage.reusedTokens,
      "completionTokens": usage.completionTokens,
    ],
    "timings": [
      "decodeImageMs": timings.decodeImageMs,
      "preprocessMs": timings.preprocessMs,
      "visionMs": timings.visionMs,
      "prefillMs": timings.prefillMs,
      "decodeMs": timings.decodeMs,
      "tokensPerSecond": timings.tokensPerSecond,
    ],
  ]
  if let tokens = answer.logprobs {
    object["logprobs"] = tokens.map { token in
      let top = token.top.map { tokenObject($0.text, $0.bytes, $0.logprob) }
      return tokenObject(token.text, token.bytes, token.logprob).merging(["top": top]) { $1 }
    }
  }
  return object
}

private func tokenObject(_ text: String, _ bytes: [UInt8], _ logprob: Double) -> [String: Any] {
  ["text": text, "bytes": bytes.map(Int.init), "logprob": logprob]
}
