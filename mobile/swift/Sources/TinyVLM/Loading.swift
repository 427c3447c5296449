internal import CTinyVLM
import Foundation

/// A model file that is on this device.
enum ModelFile: Sendable {
  case path(String)
  case bytes(Data)
}

/// One model being loaded: what the engine's callback needs to know.
final class Loading {
  private let cancellation: Cancellation
  private let progress: (@Sendable (LoadProgress) -> Void)?

  init(cancellation: Cancellation, progress: (@Sendable (LoadProgress) -> Void)?) {
    self.cancellation = cancellation
    self.progress = progress
  }

  /// A loaded model, which belongs to the caller.
  func load(
    _ file: ModelFile, options: LoadOptions, on device: DeviceState
  ) throws -> OpaquePointer {
    var options = options
    options.threads = options.threads ?? device.recommendedThreads
    var error: OpaquePointer?
    guard let model = tvlm_model_create(jsonObject(options.modelFields), &error) else {
      defer { tvlm_error_free(error) }
      throw TinyVLMError(tvlm_error_code(error), tvlm_error_message(error))
    }
    do {
      switch file {
      case .path(let path): try load(model, path: path)
      case .bytes(let bytes): try load(model, bytes: bytes)
      }
    } catch {
      tvlm_model_free(model)
      throw error
    }
    return model
  }

  private func load(_ model: OpaquePointer, path: String) throws {
    let told: tvlm_progress = { loaded, total, me in
      Unmanaged<Loading>.fromOpaque(me!).takeUnretainedValue().tell(loaded, total) ? 0 : 1
    }
    let code = withExtendedLifetime(self) {
      tvlm_model_load_path(model, path, told, Unmanaged.passUnretained(self).toOpaque())
    }
    try check(code, model)
  }

  // The engine keeps what it is given, piece by piece: nobody has to keep `bytes`.
  private func load(_ model: OpaquePointer, bytes: Data) throws {
    let piece = 1 << 20
    for start in stride(from: 0, to: bytes.count, by: piece) {
      guard tell(UInt64(start), UInt64(bytes.count)) else { throw CancellationError() }
      let count = min(piece, bytes.count - start)
      guard let place = tvlm_model_reserve(model, count) else {
        throw TinyVLMError(tvlm_model_error_code(model), tvlm_model_error(model))
      }
      let from = bytes.startIndex + start
      bytes.copyBytes(to: place.assumingMemoryBound(to: UInt8.self), from: from..<from + count)
      try check(tvlm_model_commit(model, count), model)
    }
    try check(tvlm_model_end(model), model)
    _ = tell(UInt64(bytes.count), UInt64(bytes.count))
  }

  /// Tells progress; false where the loading is to end.
  private func tell(_ loaded: UInt64, _ total: UInt64) -> Bool {
    progress?(
      LoadProgress(phase: .load, loadedBytes: Int64(loaded), totalBytes: Int64(total)))
    return !cancellation.isCancelled
  }

  private func check(_ code: tvlm_code, _ model: OpaquePointer) throws {
    if code == TVLM_OK { return }
    if code == TVLM_ABORTED { throw CancellationError() }
    throw TinyVLMError(code, tvlm_model_error(model))
  }
}
