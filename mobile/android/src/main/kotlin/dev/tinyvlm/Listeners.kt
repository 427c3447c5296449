package dev.tinyvlm

/** Told of an answer; for Java. One of [onComplete] and [onError] is the last call. */
public interface AnswerListener {
  /** A piece of the answer: whole characters, never empty. */
  public fun onText(text: String) {}

  /** The answer is complete. */
  public fun onComplete(answer: Answer)

  /** It failed; with the code `aborted` after [Request.cancel]. */
  public fun onError(error: TinyVlmException)
}

/** Told of a load; for Java. One of [onComplete] and [onError] is the last call. */
public interface LoadListener {
  /** How far it is. */
  public fun onProgress(progress: LoadProgress) {}

  /** The model, which is the listener's to close. */
  public fun onComplete(model: TinyVlm)

  /** It failed; with the code `aborted` after [Request.cancel]. */
  public fun onError(error: TinyVlmException)
}

/** Work that a listener is told of. */
public fun interface Request {
  /** Ends the work within one step; nothing happens where it has ended. */
  public fun cancel()
}
