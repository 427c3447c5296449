/// A complete answer, or what there was of it when a ``StopSignal`` ended it.
public struct Answer: Sendable, Equatable, Decodable {
  /// Why an answer ended.
  public enum FinishReason: String, Sendable, Decodable {
    /// The model ended it, or a text of `stop` came.
    case stop
    /// `maxTokens` or the context was reached.
    case length
    /// A ``StopSignal`` ended it.
    case cancelled
  }

  /// How many tokens were read and made.
  public struct Usage: Sendable, Equatable, Decodable {
    /// Tokens of the prompt, images included.
    public let promptTokens: Int
    /// Of these, tokens that images became.
    public let imageTokens: Int
    /// Images that went through the vision encoder; those that did before are not counted.
    public let encodedImages: Int
    /// Tokens of the prompt that were still in the context and not computed again.
    public let reusedTokens: Int
    /// Tokens of the answer.
    public let completionTokens: Int
  }

  /// How long each stage took.
  public struct Timings: Sendable, Equatable, Decodable {
    /// Milliseconds for decoding image files to pixels.
    public let decodeImageMs: Double
    /// Milliseconds for resizing images to the input size of the model.
    public let preprocessMs: Double
    /// Milliseconds in the vision encoder; 0 when every image was encoded before.
    public let visionMs: Double
    /// Milliseconds for computing the prompt, up to the first token.
    public let prefillMs: Double
    /// Milliseconds for all tokens after the first.
    public let decodeMs: Double
    /// Tokens after the first, a second of `decodeMs`; 0 where there were none.
    public let tokensPerSecond: Double
  }

  /// A token and how probable the model found it.
  public struct Logprob: Sendable, Equatable, Decodable {
    /// What the token adds to the text; a part of a character is U+FFFD.
    public let text: String
    /// The token's bytes.
    public let bytes: [UInt8]
    /// Natural logarithm of its probability.
    public let logprob: Double
  }

  /// A token of the answer, with the most probable ones in its place.
  public struct TokenLogprob: Sendable, Equatable, Decodable {
    /// What the token adds to the text; a part of a character is U+FFFD.
    public let text: String
    /// The token's bytes.
    public let bytes: [UInt8]
    /// Natural logarithm of its probability.
    public let logprob: Double
    /// The most probable tokens in its place, best first.
    public let top: [Logprob]
  }

  /// The text, without a stop sequence.
  public let text: String
  /// Why the answer ended.
  public let finishReason: FinishReason
  /// How many tokens were read and made.
  public let usage: Usage
  /// How long each stage took.
  public let timings: Timings
  /// With the option `logprobs`: its tokens in order, but for one that ended it.
  public let logprobs: [TokenLogprob]?
  /// Sentences for people about defects of the question's image files that were drawn over, such as
  /// a JPEG that is cut off; mostly none.
  public internal(set) var warnings: [String] = []

  private enum CodingKeys: String, CodingKey {
    case text, finishReason, usage, timings, logprobs
  }

  /// Of a question that was stopped before the engine heard of it.
  static let nothing = Answer(
    text: "", finishReason: .cancelled,
    usage: Usage(
      promptTokens: 0, imageTokens: 0, encodedImages: 0, reusedTokens: 0, completionTokens: 0),
    timings: Timings(
      decodeImageMs: 0, preprocessMs: 0, visionMs: 0, prefillMs: 0, decodeMs: 0,
      tokensPerSecond: 0),
    logprobs: nil)
}

/// What is known of a loaded model.
public struct ModelInfo: Sendable, Equatable, Decodable {
  /// The name that its file has in it.
  public let name: String
  /// What kind of model it is, such as `fastvlm`.
  public let architecture: String
  /// Edge length in pixels of the square input image, as the model was loaded; 0 for a model that
  /// reads text only.
  public internal(set) var imageSize: Int
  /// Tokens that one image becomes, as the model was loaded; 0 for a model that reads text only.
  public internal(set) var imageTokens: Int
  /// Tokens of the context, as the model was loaded.
  public internal(set) var context = 0
  /// Tokens that its context can have at most.
  public let maxContext: Int
  /// Tokens that it knows.
  public let vocabulary: Int
  /// Bytes of its file.
  public let fileBytes: Int
  /// Threads that compute.
  public let threads: Int
  /// Sentences for people about what the file does not say and was assumed; usually none.
  public let warnings: [String]

  // Those that the session tells are not of the model.
  private enum CodingKeys: String, CodingKey {
    case name, architecture, imageSize, imageTokens, maxContext, vocabulary, fileBytes, threads
    case warnings
  }
}

/// What a model and its conversation take. Mapped weights (`docs/ios.md`) do not count against an
/// app's memory limit.
public struct MemoryEstimate: Sendable, Equatable {
  /// Bytes of the weights, in memory or mapped.
  public let weightBytes: Int
  /// Bytes of vocabulary and merges.
  public let tokenizerBytes: Int
  /// Bytes of keys and values of the whole context.
  public let keyValueBytes: Int
  /// Bytes of what is being computed.
  public let activationBytes: Int
}

/// How far loading is.
public struct LoadProgress: Sendable, Equatable {
  /// What is being done.
  public enum Phase: Sendable {
    /// The file is fetched from a server.
    case download
    /// The file is read, or mapped, and checked.
    case load
  }

  /// What is being done.
  public let phase: Phase
  /// Bytes of the file that are there.
  public let loadedBytes: Int64
  /// Bytes that the file has; 0 while unknown.
  public let totalBytes: Int64
}
