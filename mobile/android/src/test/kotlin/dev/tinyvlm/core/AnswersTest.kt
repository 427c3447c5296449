package dev.tinyvlm.core

import dev.tinyvlm.*
import java.io.File
import java.io.FileInputStream
import java.nio.ByteBuffer
import javax.imageio.ImageIO
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** What is answered, about images of every kind, from models of every source. */
class AnswersTest {
  @Test
  fun `sample images get the answers of the web build`() =
    runBlocking<Unit> {
      demo().use { model ->
        var asked = 0
        for (sample in samples) {
          for ((question, answer) in sample.answers) {
            assertEquals(sample.png.name, answer, model.text(encoded(sample.png), question))
            ++asked
          }
        }
        assertTrue("$asked questions", samples.size >= 6 && asked >= 20)
      }
    }

  @Test
  fun `large JPEGs get them, too`() =
    runBlocking<Unit> {
      demo().use { model ->
        for (sample in samples) {
          val (question, answer) = sample.answers.entries.first()
          assertEquals(sample.jpeg.name, answer, model.text(encoded(sample.jpeg), question))
        }
      }
    }

  @Test
  fun `RGBA with gaps between rows is the same image`() =
    runBlocking<Unit> {
      demo().use { model ->
        for (sample in samples) {
          val image = ImageIO.read(sample.png)
          val stride = 4 * image.width + 12
          val pixels = ByteArray(stride * image.height)
          for (y in 0 until image.height) {
            for (x in 0 until image.width) {
              val color = image.getRGB(x, y)
              for ((channel, shift) in listOf(16, 8, 0, 24).withIndex()) pixels[
                y * stride + 4 * x + channel] = (color shr shift).toByte()
            }
          }
          val input = ImageInput.rgba(pixels, image.width, image.height, stride)
          val (question, answer) = sample.answers.entries.first()
          assertEquals(sample.png.name, answer, model.text(input, question))
        }
      }
    }

  @Test
  fun `a camera's frame is turned upright, whatever its planes look like`() =
    runBlocking<Unit> {
      demo().use { model ->
        val sample = samples.first()
        val (question, answer) = sample.answers.entries.first()
        for (rotation in listOf(0, 90, 180, 270)) for (pixelStride in listOf(1, 2)) assertEquals(
          "$rotation degrees, pixel stride $pixelStride",
          answer,
          model.text(frameOf(sample.png, rotation, pixelStride), question),
        )
      }
    }

  @Test
  fun `bytes and a part of an open file are the same model`() =
    runBlocking<Unit> {
      val (question, answer) = samples.first().answers.entries.first()
      val image = encoded(samples.first().png)
      TinyVlm.load(ModelSource.bytes(demoModel.readBytes())).use {
        assertEquals(answer, it.text(image, question))
      }
      val padded = File(temporaryFolder(), "padded")
      padded.writeBytes(ByteArray(777) + demoModel.readBytes() + ByteArray(33))
      FileInputStream(padded).use { stream ->
        val field = stream.fd.javaClass.getDeclaredField("fd").apply { isAccessible = true }
        val source = ModelSource.descriptor(field.getInt(stream.fd), 777, demoModel.length())
        TinyVlm.load(source).use { assertEquals(answer, it.text(image, question)) }
      }
    }

  @Test
  fun `an answer has its numbers`() =
    runBlocking<Unit> {
      demo().use { model ->
        val pieces = ArrayList<String>()
        val options = AskOptions(logprobs = 2)
        val question = samples.first().answers.keys.first()
        val image = listOf(encoded(samples.first().png))
        val answer = model.answer(image, question, options) { pieces += it }
        assertEquals(pieces.joinToString(""), answer.text)
        assertTrue(pieces.size > 1)
        assertEquals(FinishReason.STOP, answer.finishReason)
        assertEquals(emptyList<String>(), answer.warnings)
        assertEquals(model.info.imageTokens, answer.usage.imageTokens)
        assertEquals(1, answer.usage.encodedImages)
        assertEquals(answer.text, answer.logprobs!!.joinToString("") { it.text }.trim())
        assertEquals(2, answer.logprobs!!.first().top.size)
        assertTrue(answer.timings.totalMs >= answer.timings.firstTokenMs)
        assertTrue(answer.timings.firstTokenMs > 0)
        val short = model.answer(image, question, AskOptions(maxTokens = 1))
        assertEquals(FinishReason.LENGTH, short.finishReason)
        assertEquals("kept from the question before", 0, short.usage.encodedImages)
      }
    }

  @Test
  fun `options reach the engine`() =
    runBlocking<Unit> {
      demo(LoadOptions(threads = 1, context = 300, imageSize = 128)).use { model ->
        assertEquals(300, model.info.context)
        assertEquals(128, model.info.imageSize)
        assertEquals(1, model.info.threads)
        val choices = AskOptions(responseFormat = ResponseFormat.choices(listOf("cat", "dog")))
        assertTrue(model.answer(emptyList(), "Which?", choices).text in listOf("cat", "dog"))
        val schema =
          ResponseFormat.schema(
            """{"type": "object", "properties": {"a": {"const": 1.5}},
        "required": ["a"], "additionalProperties": false}"""
          )
        val json = model.answer(emptyList(), "Tell", AskOptions(responseFormat = schema))
        assertEquals("""{"a":1.5}""", json.text)
        val options = AskOptions.Builder().maxTokens(3).temperature(1.0).seed(7).build()
        val one = model.answer(emptyList(), "Tell", options).text
        assertEquals(one, model.answer(emptyList(), "Tell", options).text)
        assertFails(ErrorCode.INVALID_ARGUMENT, "topP") {
          model.ask(null, "?", AskOptions(topP = 2.0)).toList()
        }
        assertFails(ErrorCode.CONTEXT_FULL) { model.text(null, "long ".repeat(1000)) }
      }
      assertFails(ErrorCode.INVALID_ARGUMENT, "imageSize") { demo(LoadOptions(imageSize = 100)) }
      assertFails(ErrorCode.INVALID_ARGUMENT, "threads") { demo(LoadOptions(threads = 0)) }
    }

  @Test
  fun `a chat remembers its images, and texts with any character`() =
    runBlocking<Unit> {
      demo().use { model ->
        val sample = samples.first()
        val questions = sample.answers.entries.toList()
        model.chat().use { chat ->
          val first = chat.ask(encoded(sample.png), questions[0].key).toList().joinToString("")
          assertEquals(questions[0].value, first)
          val second = chat.answer("\u0001 \"zwei\" \\ \uD83D\uDC27 é?")
          assertTrue(second.usage.imageTokens > 0)
          assertEquals(0, second.usage.encodedImages)
          assertTrue(second.usage.reusedTokens > 0)
          assertTrue(model.trimMemory())
          val third = chat.answer("Are you sure?")
          assertEquals("its image is still there", 1, third.usage.encodedImages)
          assertEquals(second.usage.imageTokens, third.usage.imageTokens)
          assertEquals(0, third.usage.reusedTokens)
          assertFails(ErrorCode.INVALID_ARGUMENT, "system") {
            chat.ask("?", options = AskOptions(system = ""))
          }
        }
      }
    }

  @Test
  fun `trimmed memory is taken again`() =
    runBlocking<Unit> {
      demo().use { model ->
        val sample = samples.first()
        val (question, answer) = sample.answers.entries.first()
        repeat(3) {
          assertEquals(answer, model.text(encoded(sample.png), question))
          assertTrue(model.trimMemory())
        }
      }
    }

  @Test
  fun `memory is trimmed after the question that is being answered`() =
    runBlocking<Unit> {
      demo().use { model ->
        val sample = samples.first()
        val image = listOf(encoded(sample.png))
        val (question, answer) = sample.answers.entries.first()
        var done: Boolean? = null
        val asked =
          model.answer(image, question) { if (done == null) done = model.trimMemory() }
        assertEquals(answer, asked.text)
        assertEquals("while it was answered", false, done)
        assertEquals(0, model.answer(image, question).usage.reusedTokens)
        assertTrue(model.answer(image, question).usage.reusedTokens > 0)
      }
    }

  @Test
  fun `memory is estimated from the header`() =
    runBlocking<Unit> {
      val small = TinyVlm.estimateMemory(demoModel, LoadOptions(context = 64))
      val large = TinyVlm.estimateMemory(demoModel, LoadOptions(context = 640))
      assertEquals(10, large.kvCacheBytes / small.kvCacheBytes)
      assertTrue(small.weightBytes in 1..2 * demoModel.length())
      assertFails(ErrorCode.NOT_FOUND, "nowhere") { TinyVlm.estimateMemory(File("nowhere")) }
    }

  @Test
  fun `the version is the package's`() {
    val version = Regex("\"version\": \"(.*)\"").find(File(root, "package.json").readText())
    assertEquals(version!!.groupValues[1], TinyVlm.version())
  }

  private fun encoded(file: File) = ImageInput.encoded(file.readBytes())

  // The image as a camera would give it that is held so that `rotation` turns it upright.
  private fun frameOf(file: File, rotation: Int, pixelStride: Int): ImageInput {
    val upright = ImageIO.read(file)
    val turned = rotation % 180 != 0
    val width = if (turned) upright.height else upright.width
    val height = if (turned) upright.width else upright.height
    fun colorAt(x: Int, y: Int) =
      when (rotation) {
        90 -> upright.getRGB(height - 1 - y, x)
        180 -> upright.getRGB(width - 1 - x, height - 1 - y)
        270 -> upright.getRGB(y, width - 1 - x)
        else -> upright.getRGB(x, y)
      }
    val rowStride = pixelStride * width + 5
    val planes = List(3) { ByteArray(rowStride * height) }
    for (y in 0 until height) {
      for (x in 0 until width) {
        val color = colorAt(x, y)
        val (r, g, b) = listOf(16, 8, 0).map { ((color shr it) and 255).toDouble() }
        val light = 0.299 * r + 0.587 * g + 0.114 * b
        planes[0][y * rowStride + x * pixelStride] = Math.round(light).toByte()
        val at = y / 2 * rowStride + x / 2 * pixelStride
        planes[1][at] = Math.round(128 + (b - light) / 1.772).coerceIn(0, 255).toByte()
        planes[2][at] = Math.round(128 + (r - light) / 1.402).coerceIn(0, 255).toByte()
      }
    }
    val (y, u, v) = planes.map { YuvPlane(ByteBuffer.wrap(it), rowStride, pixelStride) }
    return ImageInput.yuv420(width, height, y, u, v, rotation)
  }
}
