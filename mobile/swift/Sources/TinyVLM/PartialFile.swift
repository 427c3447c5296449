import Foundation

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file that is being written. Every failure is an error that says what the system said, a full
/// disk too.
final class PartialFile: @unchecked Sendable {
  private let path: String
  private let descriptor: Int32
  private var open = true

  /// Where the next byte goes.
  private(set) var count: Int64

  /// Its first bytes, as far as they were written here.
  private var magic = Data()

  /// Opens or makes a file, cuts it after `keeping` bytes and goes on there.
  convenience init(_ file: URL, keeping: Int64) throws {
    try self.init(file, at: keeping)
    try keep(keeping)
  }

  /// Opens or makes a file to write over what it has from `start` on.
  init(_ file: URL, at start: Int64) throws {
    path = file.path
    count = start
    descriptor = systemOpen(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw systemError("\(path) cannot be opened") }
  }

  deinit { if open { _ = systemClose(descriptor) } }

  /// Cuts the file after `bytes` bytes.
  func keep(_ bytes: Int64) throws {
    guard ftruncate(descriptor, off_t(bytes)) == 0 else {
      throw systemError("\(path) cannot be cut to \(bytes) bytes")
    }
    count = bytes
  }

  /// Writes what comes next.
  func append(_ data: Data) throws {
    if count < 4 { magic.append(data.prefix(4 - magic.count)) }
    try data.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let written = pwrite(
          descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(count))
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { throw systemError("\(path) cannot be written at byte \(count)") }
        done += written
        count += Int64(written)
      }
    }
  }

  /// Whether the bytes written from the beginning on are not those of a model file.
  var isSomethingElse: Bool { magic.count == 4 && magic != Data("GGUF".utf8) }

  /// Its first bytes, for people.
  var start: String { String(decoding: magic, as: UTF8.self).debugDescription }

  /// Closes it after everything is on the disk.
  func close() throws {
    guard open else { return }
    let synced = fsync(descriptor) == 0
    let error = synced ? nil : systemError("\(path) cannot be written")
    open = false
    _ = systemClose(descriptor)
    if let error { throw error }
  }
}

/// A lock that other processes and other calls in this one see. The system releases it when its
/// owner dies.
final class FileLock: @unchecked Sendable {
  private let descriptor: Int32

  init(_ file: URL) throws {
    descriptor = systemOpen(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw systemError("\(file.path) cannot be opened") }
  }

  deinit { _ = systemClose(descriptor) }

  /// Takes the lock; false where somebody else has it.
  func acquire() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

  func release() { _ = flock(descriptor, LOCK_UN) }
}

// Methods of these names hide the system's functions.
private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
  open(path, flags, mode)
}

private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }

private func systemError(_ what: String) -> TinyVLMError {
  TinyVLMError(.io, "\(what): \(String(cString: strerror(errno)))")
}
