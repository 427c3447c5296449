package dev.tinyvlm

/** One message that a chat is made with: [TinyVlm.chat]. */
public class PastMessage
private constructor(
  internal val role: String,
  internal val content: String,
  internal val images: List<ImageInput>,
) {
  public companion object {
    /**
     * What the user asked, and the images that came with it. They are read whenever the chat is
     * asked a question, until one was answered.
     */
    @JvmStatic
    @JvmOverloads
    public fun user(content: String, images: List<ImageInput> = emptyList()): PastMessage =
      PastMessage("user", content, images)

    /** What the model answered. */
    @JvmStatic
    public fun assistant(content: String): PastMessage =
      PastMessage("assistant", content, emptyList())
  }
}
