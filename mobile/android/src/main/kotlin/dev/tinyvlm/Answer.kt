package dev.tinyvlm

import dev.tinyvlm.internal.JsonObject

/** Why an answer ended. */
public enum class FinishReason {
  /** The model ended it, or a stop sequence did. */
  STOP,

  /** `maxTokens` or the context was reached. */
  LENGTH,

  /** A [StopSignal] ended it. */
  CANCELLED,
}

/** How many tokens a question and its answer took. */
public class Usage internal constructor(json: JsonObject) {
  /** Tokens of the prompt, those of images included. */
  public val promptTokens: Int = json.int("promptTokens")

  /** Tokens of the prompt that stand for images. */
  public val imageTokens: Int = json.int("imageTokens")

  /** Images that the vision tower encoded; 0 when all were encoded for earlier questions. */
  public val encodedImages: Int = json.int("encodedImages")

  /** Tokens of the prompt whose keys and values were kept from the previous question. */
  public val reusedTokens: Int = json.int("reusedTokens")

  /** Tokens of the answer. */
  public val completionTokens: Int = json.int("completionTokens")
}

/** How long each stage of an answer took, in milliseconds. */
public class Timings
internal constructor(
  json: JsonObject,
  /** From the question to the first text; 0 for an answer without text. */
  public val firstTokenMs: Double,
  /** From the question to the end, waiting for earlier questions included. */
  public val totalMs: Double,
) {
  /** Decoding image files to pixels, in the engine. */
  public val decodeImageMs: Double = json.number("decodeImageMs")

  /** Resizing images to the input size of the model. */
  public val preprocessMs: Double = json.number("preprocessMs")

  /** The vision tower and the projector; 0 when every image was encoded before. */
  public val visionMs: Double = json.number("visionMs")

  /** Computing the prompt, up to the first token. */
  public val prefillMs: Double = json.number("prefillMs")

  /** All tokens after the first. */
  public val decodeMs: Double = json.number("decodeMs")

  /** Tokens after the first, a second of [decodeMs]; 0 where there were none. */
  public val tokensPerSecond: Double = json.number("tokensPerSecond")
}

/** A token with its probability. */
public open class Logprob internal constructor(json: JsonObject) {
  /** Its bytes as text, parts of characters replaced by U+FFFD; empty for one that ends answers. */
  public val text: String = json.text("text")

  /** Natural logarithm of its probability, -9999 at least. */
  public val logprob: Double = json.number("logprob")

  /** The bytes that it adds to an answer, 0 to 255. */
  public val bytes: List<Int> = json.ints("bytes")
}

/** A token of an answer, as `logprobs` tells it. */
public class TokenLogprob internal constructor(json: JsonObject) : Logprob(json) {
  /** The most probable tokens in its place, best first: as many as `logprobs` says. */
  public val top: List<Logprob> = json.children("top").map { Logprob(it) }
}

/** A complete answer, or what there was of it when a [StopSignal] ended it. */
public class Answer
internal constructor(
  report: JsonObject,
  /**
   * Sentences for people about defects of the question's images that were drawn over, such as a
   * JPEG that is cut off; mostly none.
   */
  public val warnings: List<String>,
  firstTokenMs: Double,
  totalMs: Double,
) {
  /** The text, without a stop sequence. */
  public val text: String = report.text("text")

  /** Why the answer ended. */
  public val finishReason: FinishReason =
    when (report.text("finishReason")) {
      "length" -> FinishReason.LENGTH
      "cancelled" -> FinishReason.CANCELLED
      else -> FinishReason.STOP
    }

  /** How many tokens were read and made. */
  public val usage: Usage = Usage(report.child("usage"))

  /** How long each stage took. */
  public val timings: Timings = Timings(report.child("timings"), firstTokenMs, totalMs)

  /**
   * With the option `logprobs`: its tokens in order, but for one that ended it, each with its log
   * probability and the most probable ones in its place. Else null.
   */
  public val logprobs: List<TokenLogprob>? =
    if (report.has("logprobs")) report.children("logprobs").map { TokenLogprob(it) } else null

  internal companion object {
    /** Of a question that was stopped before the engine heard of it, after `totalMs`. */
    fun nothing(totalMs: Double): Answer {
      val usage =
        listOf("promptTokens", "imageTokens", "encodedImages", "reusedTokens", "completionTokens")
      val timings =
        listOf(
          "decodeImageMs",
          "preprocessMs",
          "visionMs",
          "prefillMs",
          "decodeMs",
          "tokensPerSecond",
        )
      val report =
        mapOf(
          "text" to "",
          "finishReason" to "cancelled",
          "usage" to usage.associateWith { 0 },
          "timings" to timings.associateWith { 0 },
        )
      return Answer(JsonObject(report), emptyList(), 0.0, totalMs)
    }
  }
}

/** Name, sizes and limits of a loaded model. */
public class ModelInfo internal constructor(model: JsonObject, session: JsonObject) {
  /** The model's name, as its file says (`general.name`). */
  public val name: String = model.text("name")

  /** The model's architecture, as its file says (`general.architecture`). */
  public val architecture: String = model.text("architecture")

  /** Size of the model file in bytes. */
  public val fileBytes: Long = model.long("fileBytes")

  /**
   * Edge length in pixels of the square input image, as the model was loaded; 0 for a model without
   * a vision tower.
   */
  public val imageSize: Int = session.int("imageSize")

  /** Tokens of the context that one image takes. */
  public val imageTokens: Int = session.int("imageTokens")

  /** Length of the context in tokens, as the model was loaded. */
  public val context: Int = session.int("context")

  /** The longest context that the model supports, in tokens. */
  public val maxContext: Int = model.int("maxContext")

  /** Number of tokens in the vocabulary. */
  public val vocabulary: Int = model.int("vocabulary")

  /** How many threads compute. */
  public val threads: Int = model.int("threads")

  /** Sentences about what the file does not say and was assumed; usually none. */
  public val warnings: List<String> = model.texts("warnings")
}

/** What a model and its context take, in bytes, before it is loaded: [TinyVlm.estimateMemory]. */
public class MemoryEstimate
internal constructor(
  /** The weights: mapped where the file is packed (`panel16`), else memory. */
  public val weightBytes: Long,
  /** Vocabulary and merges. */
  public val tokenizerBytes: Long,
  /** Keys and values of the whole context. */
  public val kvCacheBytes: Long,
  /** The rest of what computing takes, images aside. */
  public val activationBytes: Long,
)

/** What a load is doing. */
public enum class LoadPhase {
  /** Fetches the model file. */
  DOWNLOAD,

  /** Reads it into the engine. */
  WEIGHTS,
}

/** How far a load is. */
public class LoadProgress
internal constructor(
  /** What it is doing. */
  public val phase: LoadPhase,
  /** Bytes of the file that are done in this phase. */
  public val loadedBytes: Long,
  /** Bytes of the file; 0 while unknown. */
  public val totalBytes: Long,
)

/** What [TinyVlm.loading] tells. */
public sealed class Loading {
  /** The load goes on. */
  public class Progress
  internal constructor(
    /** How far it is. */
    public val progress: LoadProgress
  ) : Loading()

  /** The last one: the model, which belongs to the collector now. */
  public class Ready
  internal constructor(
    /** To be closed by the collector. */
    public val model: TinyVlm
  ) : Loading()
}
