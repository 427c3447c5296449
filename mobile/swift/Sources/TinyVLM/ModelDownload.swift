import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// A model file on a server that is kept on this device once it is whole.
///
/// What was fetched stays when the app is killed or the connection breaks, and the next call goes on
/// from there, if the server says by `ETag` or `Last-Modified` that it still has the same file. The
/// file gets its name only when its length is right and every piece has the hash that the model file
/// names for it (those that `tiny-vlm convert` writes do); pieces that are damaged are fetched alone.
public struct ModelDownload: Sendable {
  /// Where the file is.
  public var url: URL
  /// The folder that it is kept in. Default: `TinyVLM` in Application Support, which the system does
  /// not empty, left out of backups.
  public var folder: URL
  /// HTTP headers of the requests. A redirect to another origin goes without them.
  public var headers: [String: String] = [:]
  /// Seconds without a byte after which the connection counts as broken.
  public var stallTimeout: TimeInterval = 20
  /// How often in a row, without a byte in between, a broken connection or a busy server is tried
  /// again, after 0.5 s, 1 s, 2 s and so on.
  public var retries = 5

  /// A file with the usual settings.
  public init(_ url: URL) {
    self.url = url
    let support = FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask)
    folder = (support.first ?? FileManager.default.temporaryDirectory)
      .appendingPathComponent("TinyVLM", isDirectory: true)
  }

  /// Where the file is kept. It is there only when it is whole.
  public var file: URL {
    // Files of the same name on different servers are different files.
    let key = sha256(Data(url.absoluteString.utf8)).prefix(16)
    return folder.appendingPathComponent("\(key)-\(url.lastPathComponent)")
  }

  /// Whether the file is on this device.
  public var isKept: Bool { FileManager.default.fileExists(atPath: file.path) }

  /// Deletes the file, and what was fetched of it. Not while a model uses it.
  public func delete() throws {
    for url in [file, partial, partialState] where FileManager.default.fileExists(atPath: url.path)
    {
      do {
        try FileManager.default.removeItem(at: url)
      } catch {
        throw TinyVLMError(.io, "\(url.path) cannot be deleted: \(error.localizedDescription)")
      }
    }
  }

  /// Fetches the file where it is not on this device yet; returns where it is kept. Of two calls at
  /// once, also in two processes, the second waits for the first.
  ///
  /// - Throws: ``TinyVLMError``; `CancellationError` where the task was cancelled.
  @discardableResult
  public func fetch(progress: (@Sendable (LoadProgress) -> Void)? = nil) async throws -> URL {
    let cancellation = Cancellation()
    return try await withTaskCancellationHandler {
      try await fetch(cancellation: cancellation, progress: progress)
    } onCancel: {
      cancellation.cancel()
    }
  }

  // MARK: -

  var partial: URL { file.appendingPathExtension("partial") }
  private var partialState: URL { file.appendingPathExtension("partial-state") }

  /// Which file `partial` is the beginning of.
  private struct State: Codable, Equatable {
    var validator: String?  // for If-Range
    var totalBytes: Int64  // 0 while unknown
  }

  func fetch(
    cancellation: Cancellation, progress: (@Sendable (LoadProgress) -> Void)?
  ) async throws -> URL {
    if isKept { return file }
    try makeFolder()
    let lock = try FileLock(file.appendingPathExtension("lock"))
    while !lock.acquire() { try await Task.sleep(nanoseconds: 100_000_000) }
    defer { lock.release() }
    if isKept { return file }
    try await fetchAll(cancellation: cancellation, progress: progress)
    try await mend(cancellation: cancellation)
    do {
      try FileManager.default.moveItem(at: partial, to: file)
      try? FileManager.default.removeItem(at: partialState)
    } catch {
      throw TinyVLMError(.io, "\(file.path) cannot be written: \(error.localizedDescription)")
    }
    return file
  }

  private func makeFolder() throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      #if canImport(Darwin)
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        var folder = folder
        try folder.setResourceValues(values)
      #endif
    } catch {
      throw TinyVLMError(.io, "\(folder.path) cannot be made: \(error.localizedDescription)")
    }
  }

  private func fetchAll(
    cancellation: Cancellation, progress: (@Sendable (LoadProgress) -> Void)?
  ) async throws {
    var failures = 0
    while true {
      let before = size(of: partial)
      do {
        return try await fetchRest(cancellation: cancellation, progress: progress)
      } catch let failure as Retry {
        failures = size(of: partial) > before ? 1 : failures + 1
        guard failures <= retries else { throw failure.reason }
        try await Task.sleep(nanoseconds: 250_000_000 << UInt64(min(failures, 6)))
      }
    }
  }

  /// What may be different next time.
  private struct Retry: Error {
    let reason: TinyVLMError
  }

  /// One request for what is missing.
  private func fetchRest(
    cancellation: Cancellation, progress: (@Sendable (LoadProgress) -> Void)?
  ) async throws {
    let state = (try? Data(contentsOf: partialState)).flatMap {
      try? JSONDecoder().decode(State.self, from: $0)
    }
    var request = newRequest()
    var there: Int64 = 0
    if let state, let validator = state.validator, size(of: partial) > 0 {
      there = size(of: partial)
      if there == state.totalBytes { return }
      request.setValue("bytes=\(there)-", forHTTPHeaderField: "Range")
      request.setValue(validator, forHTTPHeaderField: "If-Range")
    }
    let writer = try PartialFile(partial, keeping: there)
    let arrival = Arrival(there: there, state: state)
    let transfer = Transfer(
      request,
      onResponse: { response in
        try arrival.take(response, from: url) { state in
          try writer.keep(arrival.there)
          try writeState(state)
        }
      },
      onData: { data in
        try writer.append(data)
        if writer.isSomethingElse {
          throw TinyVLMError(
            .invalidFile, "\(url): a model file wanted, found one that begins with \(writer.start)")
        }
        progress?(
          LoadProgress(
            phase: .download, loadedBytes: writer.count, totalBytes: arrival.totalBytes))
      })
    do {
      try await transfer.run(cancellation)
      try writer.close()
    } catch let error as TinyVLMError where error.code == .invalidFile {
      try? delete()
      throw error
    } catch let error as TransferError {
      throw Retry(
        reason: TinyVLMError(
          .network, "\(url): \(error.message) after \(writer.count) bytes"))
    } catch let busy as Busy {
      throw Retry(reason: busy.reason)
    }
    let total = arrival.totalBytes
    guard total == 0 || writer.count >= total else {
      throw Retry(
        reason: TinyVLMError(
          .network, "\(url): the connection ended after \(writer.count) of \(total) bytes"))
    }
  }

  private func newRequest() -> URLRequest {
    var request = URLRequest(url: url, timeoutInterval: stallTimeout)
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    // Of a compressed answer neither length nor ranges could be used.
    request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    return request
  }

  private func writeState(_ state: (validator: String?, totalBytes: Int64)) throws {
    let text = try JSONEncoder().encode(
      State(validator: state.validator, totalBytes: state.totalBytes))
    do {
      try text.write(to: partialState, options: .atomic)
    } catch {
      throw TinyVLMError(.io, "\(partialState.path) cannot be written: \(error)")
    }
  }

  /// What the server's answer says about the file.
  private final class Arrival: @unchecked Sendable {
    private(set) var there: Int64
    private(set) var totalBytes: Int64
    private let known: State?

    init(there: Int64, state: State?) {
      self.there = there
      known = state
      totalBytes = state?.totalBytes ?? 0
    }

    /// Decides whether the answer goes on behind `there`; `start` is told with which file.
    func take(
      _ response: HTTPURLResponse, from url: URL,
      start: ((validator: String?, totalBytes: Int64)) throws -> Void
    ) throws {
      let status = response.statusCode
      switch status {
      case 206 where there > 0:
        let range = response.value(forHTTPHeaderField: "Content-Range") ?? ""
        guard let (first, total) = parseContentRange(range), first == there,
          total == 0 || totalBytes == 0 || total == totalBytes
        else { fallthrough }
        if total > 0 { totalBytes = total }
        try start((known?.validator, totalBytes))
      case 416:
        // There is more here than the server has: another file. From the beginning.
        there = 0
        try start((nil, 0))
        throw Busy(
          reason: TinyVLMError(.http, "\(url): the server answered 416", httpStatus: status))
      case 200:
        there = 0
        totalBytes = max(0, response.expectedContentLength)
        let etag = response.value(forHTTPHeaderField: "ETag")
        let strong = etag.flatMap { $0.hasPrefix("W/") ? nil : $0 }
        try start((strong ?? response.value(forHTTPHeaderField: "Last-Modified"), totalBytes))
      case 408, 425, 429, 500...599:
        throw Busy(
          reason: TinyVLMError(
            .http, "\(url): the server answered \(status)", httpStatus: status))
      default:
        throw TinyVLMError(
          .http, "\(url): a file wanted, the server answered \(status)", httpStatus: status)
      }
    }
  }

  /// A server that may answer later.
  private struct Busy: Error {
    let reason: TinyVLMError
  }

  /// Compares the pieces with their hashes and fetches damaged ones again.
  private func mend(cancellation: Cancellation) async throws {
    do {
      let hashes = try PieceHashes(of: partial)
      let damaged = try hashes.damagedPieces(of: partial, cancellation: cancellation)
      for piece in damaged {
        try await fetchAgain(piece, cancellation: cancellation)
      }
      if !damaged.isEmpty {
        let still = try hashes.damagedPieces(of: partial, cancellation: cancellation)
        guard still.isEmpty else {
          throw TinyVLMError(
            .invalidFile, "\(url): \(still.count) pieces do not have the hash that the file names")
        }
      }
    } catch let error as TinyVLMError where error.code != .network && error.code != .http {
      try? delete()  // beginning anew is all that can help
      throw error
    }
  }

  private func fetchAgain(_ piece: Range<Int64>, cancellation: Cancellation) async throws {
    var request = newRequest()
    request.setValue(
      "bytes=\(piece.lowerBound)-\(piece.upperBound - 1)", forHTTPHeaderField: "Range")
    let writer = try PartialFile(partial, at: piece.lowerBound)
    let transfer = Transfer(
      request,
      onResponse: { response in
        guard response.statusCode == 206 else {
          throw TinyVLMError(
            .invalidFile,
            "\(url): a damaged piece was asked for alone, the server answered \(response.statusCode)"
          )
        }
      },
      onData: { data in
        guard writer.count + Int64(data.count) <= piece.upperBound else {
          throw TinyVLMError(.invalidFile, "\(url): more than the \(piece.count) bytes asked for")
        }
        try writer.append(data)
      })
    do {
      try await transfer.run(cancellation)
      try writer.close()
    } catch let error as TransferError {
      throw TinyVLMError(.network, "\(url): \(error.message) while a damaged piece was fetched")
    }
  }
}

/// The first byte and the file's length (0: not told) of "bytes 5-9/10".
func parseContentRange(_ text: String) -> (first: Int64, total: Int64)? {
  let words = text.split(whereSeparator: { " -/".contains($0) })
  guard words.count == 4, words[0] == "bytes", let first = Int64(words[1]) else { return nil }
  return (first, Int64(words[3]) ?? 0)
}

func size(of file: URL) -> Int64 {
  let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
  return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
}
