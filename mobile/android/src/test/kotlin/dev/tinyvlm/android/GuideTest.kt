package dev.tinyvlm.android

import android.content.Context
import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import dev.tinyvlm.*
import java.io.File
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

// The code of docs/android.md, docs/phones.md and README.md;
// `the documents' code is this file's` compares them.

suspend fun describe(context: Context, photo: Bitmap, show: (String) -> Unit) {
  val source = ModelSource.asset("tiny-vlm-demo.gguf")
  TinyVlm.load(context, source).use { model ->
    model.ask(photo, "Describe the image in detail.").collect { piece -> show(piece) }
  }
}

suspend fun loadFromServer(context: Context, url: String, show: (Long, Long) -> Unit): TinyVlm {
  val file = TinyVlm.modelFile(context, "model.gguf")
  val source = ModelSource.download(ModelDownload(url, file))
  return TinyVlm.load(context, source) { show(it.loadedBytes, it.totalBytes) }
}

suspend fun talk(model: TinyVlm, photo: Bitmap, questions: List<String>): List<String> =
  model.chat().use { chat ->
    val first = chat.answer(questions.first(), listOf(ImageInput.bitmap(photo)))
    listOf(first.text) + questions.drop(1).map { chat.answer(it).text }
  }

suspend fun tell(model: TinyVlm, photo: ByteArray): String =
  try {
    model.answer(listOf(ImageInput.encoded(photo)), "What is this?").text
  } catch (error: TinyVlmException) {
    when (error.code) {
      ErrorCode.INVALID_IMAGE -> "This file cannot be shown."
      ErrorCode.NOT_READY,
      ErrorCode.ABORTED -> ""
      else -> throw error
    }
  }

/** Runs what the documents show. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], manifest = Config.NONE)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class GuideTest {
  private val context: Context = RuntimeEnvironment.getApplication()
  private val sample = samples.first()
  private val photo = BitmapFactory.decodeFile(sample.png.path)

  @Test
  fun `the documents' code is this file's`() {
    val here =
      File(root, "mobile/android/src/test/kotlin/dev/tinyvlm/android/GuideTest.kt").readText()
    for ((name, least) in
      listOf("docs/android.md" to 4, "docs/phones.md" to 1, "README.md" to 1)) {
      val document = File(root, name).readText()
      val blocks = Regex("```kotlin\n(.*?)```", RegexOption.DOT_MATCHES_ALL).findAll(document)
      val functions = blocks.flatMap { it.groupValues[1].split("\n\n") }.toList()
      assertTrue("$name: ${functions.size} functions", functions.size >= least)
      for (function in functions) assertTrue("$name: $function", function.trim() in here)
    }
  }

  @Test
  fun `words about a photo`() =
    runBlocking<Unit> {
      val archive = File(System.getProperty("tinyvlm.output")!!, "assets.apk")
      val add = AssetManager::class.java.getMethod("addAssetPath", String::class.java)
      add.invoke(context.assets, archive.path)
      val words = StringBuilder()
      describe(context, photo) { words.append(it) }
      assertEquals(sample.answers["Describe the image in detail."], words.toString())
    }

  @Test
  fun `a model from a server, a chat, errors`() =
    runBlocking<Unit> {
      val bytes = demoModel.readBytes()
      dev.tinyvlm.core
        .FakeServer { request, to -> dev.tinyvlm.core.FakeServer.file(bytes, request, to) }
        .use { server ->
          var told = 0L to 0L
          loadFromServer(context, server.url) { loaded, total -> told = loaded to total }
            .use { model ->
              assertEquals(demoModel.length() to demoModel.length(), told)
              val questions = sample.answers.keys.take(2)
              assertEquals(sample.answers.getValue(questions[0]), talk(model, photo, questions)[0])
              assertTrue(tell(model, sample.jpeg.readBytes()).isNotEmpty())
              assertEquals("This file cannot be shown.", tell(model, ByteArray(9)))
              model.close()
              assertEquals("", tell(model, sample.jpeg.readBytes()))
            }
        }
    }
}
