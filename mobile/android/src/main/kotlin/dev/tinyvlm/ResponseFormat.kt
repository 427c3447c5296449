package dev.tinyvlm

import dev.tinyvlm.internal.Json

/** What an answer must be, from its first character to its last. */
public class ResponseFormat private constructor(internal val json: Map<String, Any?>) {
  public companion object {
    /**
     * JSON that validates against a JSON Schema (draft 2020-12), which is given as JSON.
     * docs/sdk.md lists the keywords. Throws `invalid_argument` where [schema] is no JSON.
     */
    @JvmStatic
    public fun schema(schema: String): ResponseFormat =
      ResponseFormat(mapOf("schema" to Json.parse(schema)))

    /** One of these texts. */
    @JvmStatic
    public fun choices(choices: List<String>): ResponseFormat =
      ResponseFormat(mapOf("choices" to choices))

    /** A text that this regular expression (JavaScript's, with its flag `u`) matches as a whole. */
    @JvmStatic
    public fun pattern(pattern: String): ResponseFormat =
      ResponseFormat(mapOf("pattern" to pattern))
  }
}
