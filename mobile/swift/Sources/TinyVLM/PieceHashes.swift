internal import CTinyVLM
import Foundation

/// What a model file says of itself in its header: its length, and the hash of each piece.
struct PieceHashes {
  private let fileBytes: Int64
  private let headerBytes: Int64
  private let pieceBytes: Int64
  private let hashes: [Substring]

  private struct Report: Decodable {
    let fileBytes: Int64
    let headerBytes: Int64?
    let chunkBytes: Int64?
    let chunkSha256: String?
  }

  /// Reads the header, which the engine checks.
  ///
  /// - Throws: ``TinyVLMError`` where it is damaged, or `file` has another length.
  init(of file: URL) throws {
    let there = size(of: file)
    let handle = try openForReading(file)
    defer { try? handle.close() }
    var error: OpaquePointer?
    guard let model = tvlm_model_create("{}", &error) else {
      defer { tvlm_error_free(error) }
      throw TinyVLMError(tvlm_error_code(error), tvlm_error_message(error))
    }
    defer { tvlm_model_free(model) }
    while tvlm_model_state(model) == TVLM_LOAD_HEADER {
      let bytes = try read(handle, 1 << 20, of: file)
      guard !bytes.isEmpty else {
        throw TinyVLMError(
          .invalidFile, "\(file.path) ends within its header, after \(there) bytes")
      }
      guard let place = tvlm_model_reserve(model, bytes.count) else {
        throw TinyVLMError(tvlm_model_error_code(model), tvlm_model_error(model))
      }
      bytes.copyBytes(to: place.assumingMemoryBound(to: UInt8.self), count: bytes.count)
      let code = tvlm_model_commit(model, bytes.count)
      guard code == TVLM_OK else { throw TinyVLMError(code, tvlm_model_error(model)) }
    }
    var length = 0
    let text = tvlm_model_info(model, &length)
    let report = try JSONDecoder().decode(Report.self, from: Data(bytes: text!, count: length))
    fileBytes = report.fileBytes
    headerBytes = report.headerBytes ?? 0
    pieceBytes = report.chunkBytes ?? 0
    hashes = stride(from: 0, to: report.chunkSha256?.count ?? 0, by: 64).map { at in
      report.chunkSha256!.dropFirst(at).prefix(64)
    }
    guard there == fileBytes else {
      throw TinyVLMError(
        .invalidFile, "\(file.path): \(fileBytes) bytes wanted, found \(there)")
    }
  }

  /// Where in `file` the pieces lie whose bytes do not have their hash. None where the file names
  /// no hashes.
  func damagedPieces(of file: URL, cancellation: Cancellation) throws -> [Range<Int64>] {
    let handle = try openForReading(file)
    defer { try? handle.close() }
    try handle.seek(toOffset: UInt64(headerBytes))
    var damaged: [Range<Int64>] = []
    for (index, hash) in hashes.enumerated() {
      if cancellation.isCancelled { throw CancellationError() }
      let start = headerBytes + Int64(index) * pieceBytes
      let bytes = try read(handle, Int(min(pieceBytes, fileBytes - start)), of: file)
      if sha256(bytes) != hash { damaged.append(start..<start + Int64(bytes.count)) }
    }
    return damaged
  }
}

private func openForReading(_ file: URL) throws -> FileHandle {
  do {
    return try FileHandle(forReadingFrom: file)
  } catch {
    throw TinyVLMError(.io, "\(file.path) cannot be opened: \(error.localizedDescription)")
  }
}

private func read(_ handle: FileHandle, _ count: Int, of file: URL) throws -> Data {
  do {
    return try handle.read(upToCount: count) ?? Data()
  } catch {
    throw TinyVLMError(.io, "\(file.path) cannot be read: \(error.localizedDescription)")
  }
}
