internal import CTinyVLM
import Foundation

/// Why something failed: a code to act on and a sentence for people.
///
/// What you cancel yourself through a `Task` ends as `CancellationError` and not as one of these.
public struct TinyVLMError: Error, Sendable, Equatable {
  /// What kind of failure it is; `docs/errors.md` of the repository says what to do about each.
  public enum Code: String, Sendable, CaseIterable {
    /// An argument or option that is not valid.
    case invalidArgument = "invalid_argument"
    /// A file that does not exist, or a tensor or key that a model file must have and has not.
    case notFound = "not_found"
    /// A model file that is truncated, altered, or something else.
    case invalidFile = "invalid_file"
    /// Well-formed, but nothing that this engine does.
    case unsupported = "unsupported"
    /// The memory that a model, a context or an image needs is not available.
    case outOfMemory = "out_of_memory"
    /// An image that is damaged, of an unknown format or too large.
    case invalidImage = "invalid_image"
    /// Images and question do not fit in the context.
    case contextFull = "context_full"
    /// The operating system could not read or write a file.
    case io = "io"
    /// Called after ``TinyVLM/close()``.
    case notReady = "not_ready"
    /// A bug of Tiny-VLM.
    case `internal` = "internal"
    /// No answer from a server, or a connection that broke off.
    case network = "network"
    /// The server answered, but not with a file.
    case http = "http"
    /// ``TinyVLM/close()`` ended the work.
    case aborted = "aborted"
  }

  /// What kind of failure it is.
  public let code: Code
  /// One sentence: what was wanted, what was found, where. English.
  public let message: String
  /// Of an error of code `http`: the status that the server answered with, such as 404; else `nil`.
  public let httpStatus: Int?

  init(_ code: Code, _ message: String, httpStatus: Int? = nil) {
    self.code = code
    self.message = message
    self.httpStatus = httpStatus
  }

  /// From what the engine says; a code of a later engine is `internal`.
  init(_ code: tvlm_code, _ message: UnsafePointer<CChar>) {
    let word = String(cString: tvlm_code_name(code))
    self.init(Code(rawValue: word) ?? .internal, String(cString: message))
  }
}

extension TinyVLMError: LocalizedError, CustomStringConvertible {
  /// The message, for `localizedDescription`.
  public var errorDescription: String? { message }
  /// Code and message.
  public var description: String { "\(code.rawValue): \(message)" }
}
