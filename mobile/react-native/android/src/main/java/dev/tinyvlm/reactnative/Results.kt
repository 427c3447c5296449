// What JavaScript gets (src/bridge.ts), from what the Kotlin library tells.
package dev.tinyvlm.reactnative

import com.facebook.react.bridge.Arguments
import com.facebook.react.bridge.WritableArray
import com.facebook.react.bridge.WritableMap
import dev.tinyvlm.Answer
import dev.tinyvlm.LoadPhase
import dev.tinyvlm.LoadProgress
import dev.tinyvlm.Logprob
import dev.tinyvlm.ModelInfo
import java.util.Locale

private fun jsMap(fill: WritableMap.() -> Unit): WritableMap = Arguments.createMap().apply(fill)

private fun <Item> jsArray(items: List<Item>, add: WritableArray.(Item) -> Unit): WritableArray =
  Arguments.createArray().also { array -> items.forEach { array.add(it) } }

private fun texts(items: List<String>) = jsArray(items) { pushString(it) }

/** A ProgressEvent. */
internal fun progressOf(model: Double, progress: LoadProgress) = jsMap {
  putDouble("model", model)
  putString("phase", if (progress.phase == LoadPhase.DOWNLOAD) "download" else "weights")
  putDouble("loadedBytes", progress.loadedBytes.toDouble())
  putDouble("totalBytes", progress.totalBytes.toDouble())
}

/** A ModelInfo. */
internal fun infoOf(info: ModelInfo) = jsMap {
  putString("name", info.name)
  putString("architecture", info.architecture)
  putDouble("fileBytes", info.fileBytes.toDouble())
  putInt("imageSize", info.imageSize)
  putInt("imageTokens", info.imageTokens)
  putInt("context", info.context)
  putInt("maxContext", info.maxContext)
  putInt("vocabulary", info.vocabulary)
  putInt("threads", info.threads)
  putArray("warnings", texts(info.warnings))
}

/** A NativeAnswer. */
internal fun answerOf(answer: Answer) = jsMap {
  putString("text", answer.text)
  putString("finishReason", answer.finishReason.name.lowercase(Locale.ROOT))
  putArray("warnings", texts(answer.warnings))
  putMap(
    "usage",
    jsMap {
      val usage = answer.usage
      putInt("promptTokens", usage.promptTokens)
      putInt("imageTokens", usage.imageTokens)
      putInt("encodedImages", usage.encodedImages)
      putInt("reusedTokens", usage.reusedTokens)
      putInt("completionTokens", usage.completionTokens)
    },
  )
  putMap(
    "timings",
    jsMap {
      val timings = answer.timings
      putDouble("decodeImageMs", timings.decodeImageMs)
      putDouble("preprocessMs", timings.preprocessMs)
      putDouble("visionMs", timings.visionMs)
      putDouble("prefillMs", timings.prefillMs)
      putDouble("decodeMs", timings.decodeMs)
      putDouble("tokensPerSecond", timings.tokensPerSecond)
    },
  )
  answer.logprobs?.let { tokens ->
    val list = jsArray(tokens) { token ->
      val top = jsArray(token.top) { pushMap(tokenOf(it)) }
      pushMap(tokenOf(token).apply { putArray("top", top) })
    }
    putArray("logprobs", list)
  }
}

private fun tokenOf(token: Logprob) = jsMap {
  putString("text", token.text)
  putDouble("logprob", token.logprob)
  putArray("bytes", jsArray(token.bytes) { pushInt(it) })
}
