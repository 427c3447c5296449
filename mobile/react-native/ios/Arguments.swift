// What JavaScript gives (src/bridge.ts), as the Swift package takes it.

import Foundation
import TinyVLM
import UIKit

/// Where a model comes from, and the file that it is, or will be.
func modelSource(_ given: [String: Any]) throws -> (ModelSource, URL) {
  func text(_ name: String) -> String { given[name] as? String ?? "" }
  switch text("kind") {
  case "download":
    var download = ModelDownload(try webAddress(text("url")))
    download.headers = given["headers"] as? [String: String] ?? [:]
    if let milliseconds = given["stallTimeout"] as? Double {
      download.stallTimeout = milliseconds / 1000
    }
    return (.download(download), download.file)
  case "file":
    let file = URL(fileURLWithPath: text("path"))
    return (.file(file), file)
  case "asset":
    guard let file = Bundle.main.url(forResource: text("name"), withExtension: nil) else {
      throw BridgeError(.notFound, "\(text("name")) is not a resource of the app")
    }
    return (.file(file), file)
  default:
    throw BridgeError(
      .unsupported, "content: addresses are Android's; give the path or the file: address")
  }
}

func webAddress(_ text: String) throws -> URL {
  guard let url = URL(string: text), url.host != nil else {
    throw BridgeError(.invalidArgument, "wanted an http or https address, found \(text)")
  }
  return url
}

extension LoadOptions {
  init(given: [String: Any]) {
    self.init(
      threads: given["threads"] as? Int,
      context: given["context"] as? Int,
      imageSize: given["imageSize"] as? Int,
      resize: (given["resize"] as? String).flatMap(Resize.init(rawValue:)),
      chatStyle: (given["chatStyle"] as? String).flatMap(ChatStyle.init(rawValue:)),
      compute: (given["compute"] as? String).flatMap(Compute.init(rawValue:)))
  }
}

extension AskOptions {
  init(given: [String: Any]) {
    let format: ResponseFormat? =
      if let schema = given["schema"] as? String {
        .schema(schema)
      } else if let choices = given["choices"] as? [String] {
        .choices(choices)
      } else if let pattern = given["pattern"] as? String {
        .pattern(pattern)
      } else {
        nil
      }
    self.init(
      maxTokens: given["maxTokens"] as? Int,
      temperature: given["temperature"] as? Double,
      topK: given["topK"] as? Int,
      topP: given["topP"] as? Double,
      minP: given["minP"] as? Double,
      repetitionPenalty: given["repetitionPenalty"] as? Double,
      frequencyPenalty: given["frequencyPenalty"] as? Double,
      presencePenalty: given["presencePenalty"] as? Double,
      noRepeatNgram: given["noRepeatNgram"] as? Int,
      stop: given["stop"] as? [String],
      responseFormat: format,
      logprobs: given["logprobs"] as? Int,
      seed: given["seed"] as? UInt64,
      system: given["system"] as? String,
      exactPreprocess: given["exactPreprocess"] as? Bool ?? false,
      strict: given["strict"] as? Bool ?? false)
  }
}

/// Makes images of what JavaScript gives.
struct ImageReader {
  let loadImage: TinyVLMBridge.LoadImage

  func read(_ given: [[String: Any]]) async throws -> [ImageInput] {
    var images: [ImageInput] = []
    for image in given { images.append(try await read(image)) }
    return images
  }

  private func read(_ given: [String: Any]) async throws -> ImageInput {
    if let uri = given["uri"] as? String { return try await read(uri) }
    if let file = given["file"] as? String { return .data(try bytes(file)) }
    guard let rgba = given["rgba"] as? String, let width = given["width"] as? Int,
      let height = given["height"] as? Int
    else { throw BridgeError(.invalidArgument, "wanted an image, found none") }
    return try .rgba(try bytes(rgba), width: width, height: height)
  }

  private func read(_ uri: String) async throws -> ImageInput {
    if uri.hasPrefix("/") { return .file(URL(fileURLWithPath: uri)) }
    if uri.lowercased().hasPrefix("file://") {
      // Pickers give addresses with and without escapes.
      let path = String(uri.dropFirst("file://".count))
      return .file(URL(fileURLWithPath: path.removingPercentEncoding ?? path))
    }
    guard let url = URL(string: uri) else {
      throw BridgeError(.invalidArgument, "wanted the address of an image, found \(uri)")
    }
    let image = try await withCheckedThrowingContinuation {
      (continuation: CheckedContinuation<UIImage, any Error>) in
      loadImage(url) { image, error in
        if let image { return continuation.resume(returning: image) }
        let reason = error?.localizedDescription ?? "the app has no loader for such addresses"
        continuation.resume(throwing: BridgeError(.io, "\(uri) cannot be read: \(reason)"))
      }
    }
    return try ImageInput(image)
  }

  private func bytes(_ base64: String) throws -> Data {
    guard let data = Data(base64Encoded: base64, options: .ignoreUnknownCharacters) else {
      throw BridgeError(.invalidArgument, "wanted base64 of an image, found something else")
    }
    return data
  }
}
