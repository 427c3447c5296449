import Foundation

/// Where a model file comes from.
public struct ModelSource: Sendable {
  enum Content: Sendable {
    case file(ModelFile)
    case resource(String, Bundle)
    case download(ModelDownload)
  }

  let content: Content

  /// A file on this device. One that was converted with `--packing panel16` is mapped: it must not
  /// be changed while the model lives.
  public static func file(_ url: URL) -> ModelSource {
    ModelSource(content: .file(.path(url.path)))
  }

  /// A file in a bundle, by its name with its ending, such as `fastvlm.gguf`.
  public static func bundle(_ name: String, in bundle: Bundle = .main) -> ModelSource {
    ModelSource(content: .resource(name, bundle))
  }

  /// A file's bytes. They are copied.
  public static func data(_ bytes: Data) -> ModelSource {
    ModelSource(content: .file(.bytes(bytes)))
  }

  /// A file on a server, which is fetched once and kept on this device.
  public static func download(_ url: URL) -> ModelSource { download(ModelDownload(url)) }

  /// A file on a server, with what is to be known of fetching and keeping it.
  public static func download(_ download: ModelDownload) -> ModelSource {
    ModelSource(content: .download(download))
  }

  /// The file, fetched first where it is not on this device.
  func fetched(
    cancellation: Cancellation, progress: (@Sendable (LoadProgress) -> Void)?
  ) async throws -> ModelFile {
    switch content {
    case .file(let file): return file
    case .resource(let name, let bundle):
      guard let url = bundle.url(forResource: name, withExtension: nil) else {
        throw TinyVLMError(.notFound, "\(name) is not a resource of \(bundle.bundlePath)")
      }
      return .path(url.path)
    case .download(let download):
      return .path(try await download.fetch(cancellation: cancellation, progress: progress).path)
    }
  }
}
