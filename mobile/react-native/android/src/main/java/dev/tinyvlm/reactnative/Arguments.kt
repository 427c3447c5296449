// What JavaScript gives (src/bridge.ts), as the Kotlin library takes it.
package dev.tinyvlm.reactnative

import android.content.Context
import android.net.Uri
import android.util.Base64
import com.facebook.react.bridge.ReadableArray
import com.facebook.react.bridge.ReadableMap
import dev.tinyvlm.AskOptions
import dev.tinyvlm.ChatStyle
import dev.tinyvlm.Compute
import dev.tinyvlm.ErrorCode
import dev.tinyvlm.ImageInput
import dev.tinyvlm.LoadOptions
import dev.tinyvlm.ModelDownload
import dev.tinyvlm.ModelSource
import dev.tinyvlm.PastMessage
import dev.tinyvlm.Resize
import dev.tinyvlm.ResponseFormat
import dev.tinyvlm.TinyVlm
import dev.tinyvlm.TinyVlmException
import dev.tinyvlm.modelFile
import dev.tinyvlm.uri
import java.io.File
import java.security.MessageDigest
import java.util.Locale

/** Where a model is; `file` where it is one of the app's. */
internal class GivenSource(val source: ModelSource, val file: File?)

internal fun sourceOf(context: Context, given: ReadableMap): GivenSource =
  when (val kind = given.text("kind")) {
    "download" -> {
      val url = given.text("url").orEmpty()
      val file = downloadedFile(context, url)
      val headers = given.getMap("headers")?.toHashMap().orEmpty().mapValues { "${it.value}" }
      val download = ModelDownload(url, file, headers, given.int("stallTimeout") ?: 20_000)
      GivenSource(ModelSource.download(download), file)
    }
    "file" -> File(given.text("path").orEmpty()).let { GivenSource(ModelSource.file(it), it) }
    "asset" -> GivenSource(ModelSource.asset(given.text("name").orEmpty()), null)
    "content" -> GivenSource(ModelSource.content(given.text("uri").orEmpty()), null)
    else -> throw invalid("a source of the kind $kind is not known")
  }

/** Where the file at `url` is kept. Files of one name on different servers are different files. */
internal fun downloadedFile(context: Context, url: String): File {
  val hash = MessageDigest.getInstance("SHA-256").digest(url.toByteArray())
  val key = hash.take(8).joinToString("") { "%02x".format(Locale.ROOT, it) }
  val name = Uri.parse(url).lastPathSegment.orEmpty().replace(Regex("[^A-Za-z0-9._-]"), "_")
  return TinyVlm.modelFile(context, "$key-${name.takeLast(80)}")
}

internal fun loadOptionsOf(given: ReadableMap) =
  LoadOptions(
    threads = given.int("threads"),
    context = given.int("context"),
    imageSize = given.int("imageSize"),
    resize = given.choice<Resize>("resize"),
    chatStyle = given.choice<ChatStyle>("chatStyle"),
    compute = given.choice<Compute>("compute"),
  )

internal fun askOptionsOf(given: ReadableMap): AskOptions {
  val schema = given.text("schema")
  val choices = given.texts("choices")
  val pattern = given.text("pattern")
  return AskOptions(
    maxTokens = given.int("maxTokens"),
    temperature = given.number("temperature"),
    topK = given.int("topK"),
    topP = given.number("topP"),
    minP = given.number("minP"),
    repetitionPenalty = given.number("repetitionPenalty"),
    frequencyPenalty = given.number("frequencyPenalty"),
    presencePenalty = given.number("presencePenalty"),
    noRepeatNgram = given.int("noRepeatNgram"),
    stop = given.texts("stop"),
    responseFormat =
      when {
        schema != null -> ResponseFormat.schema(schema)
        choices != null -> ResponseFormat.choices(choices)
        pattern != null -> ResponseFormat.pattern(pattern)
        else -> null
      },
    logprobs = given.int("logprobs"),
    seed = given.number("seed")?.toLong(),
    system = given.text("system"),
    exactPreprocess = given.flag("exactPreprocess"),
    strict = given.flag("strict"),
  )
}

internal fun imagesOf(context: Context, given: ReadableArray): List<ImageInput> =
  List(given.size()) { imageOf(context, given.getMap(it) ?: throw invalid("image $it is none")) }

/** What was said before a chat began. */
internal fun messagesOf(context: Context, given: ReadableArray): List<PastMessage> =
  List(given.size()) { index ->
    val message = given.getMap(index) ?: throw invalid("messages[$index] is none")
    val content = message.text("content").orEmpty()
    if (message.text("role") == "assistant") PastMessage.assistant(content)
    else {
      val images = if (message.has("images")) message.getArray("images") else null
      PastMessage.user(content, images?.let { imagesOf(context, it) }.orEmpty())
    }
  }

private fun imageOf(context: Context, given: ReadableMap): ImageInput {
  given.text("uri")?.let { uri ->
    val address = if (uri.startsWith("/")) Uri.fromFile(File(uri)) else Uri.parse(uri)
    return ImageInput.uri(context, address)
  }
  given.text("file")?.let { return ImageInput.encoded(bytesOf(it)) }
  val rgba = given.text("rgba") ?: throw invalid("wanted an image, found none")
  return ImageInput.rgba(bytesOf(rgba), given.int("width") ?: 0, given.int("height") ?: 0)
}

private fun bytesOf(base64: String): ByteArray =
  try {
    Base64.decode(base64, Base64.DEFAULT)
  } catch (error: IllegalArgumentException) {
    throw TinyVlmException(
      ErrorCode.INVALID_ARGUMENT,
      "wanted base64 of an image, found something else: ${error.message}",
      error,
    )
  }

private fun invalid(message: String) = TinyVlmException(ErrorCode.INVALID_ARGUMENT, message)

private fun ReadableMap.has(name: String) = hasKey(name) && !isNull(name)

private fun ReadableMap.text(name: String) = if (has(name)) getString(name) else null

private fun ReadableMap.number(name: String) = if (has(name)) getDouble(name) else null

private fun ReadableMap.int(name: String) = number(name)?.toInt()

private fun ReadableMap.flag(name: String) = if (has(name)) getBoolean(name) else null

private fun ReadableMap.texts(name: String): List<String>? =
  if (has(name)) getArray(name)?.toArrayList()?.map { "$it" } else null

private inline fun <reified Choice : Enum<Choice>> ReadableMap.choice(name: String): Choice? =
  text(name)?.let { enumValueOf<Choice>(it.uppercase(Locale.ROOT)) }
