package dev.tinyvlm.core

import dev.tinyvlm.*
import kotlin.random.Random
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assert.fail
import org.junit.Test

/** Chats that go on from what was said before, and answers that are stopped. */
class ChatTest {
  private val sample = samples.first()
  private val image = ImageInput.encoded(sample.png.readBytes())
  private val question = sample.answers.keys.first()
  private val answer = sample.answers.values.first()
  private val long =
    AskOptions(maxTokens = 2000, responseFormat = ResponseFormat.pattern("(ab){900}"))

  @Test
  fun `a chat goes on from past messages`() =
    runBlocking<Unit> {
      demo().use { model ->
        val whole = model.chat("Be short.")
        val first = whole.answer(question, listOf(image))
        val wanted = whole.answer("Is there a ring?")
        val messages =
          listOf(PastMessage.user(question, listOf(image)), PastMessage.assistant(first.text))
        model.chat("Be short.", messages).use { restored ->
          val found = restored.answer("Is there a ring?")
          assertEquals(wanted.text, found.text)
          assertEquals(wanted.usage.promptTokens, found.usage.promptTokens)
          val next = restored.answer("Is there a pencil?")
          assertEquals("its image is kept", 0, next.usage.encodedImages)
          assertTrue(next.usage.reusedTokens > found.usage.imageTokens)
        }
        whole.close()
      }
    }

  @Test
  fun `past messages that cannot be are errors of the question`() =
    runBlocking<Unit> {
      demo().use { model ->
        val none = ImageInput.encoded(byteArrayOf(1, 2))
        val wrong =
          listOf(
            ErrorCode.INVALID_ARGUMENT to listOf(PastMessage.assistant("Hello.")),
            ErrorCode.INVALID_ARGUMENT to listOf(PastMessage.user("Hello?")),
            ErrorCode.INVALID_IMAGE to
              listOf(PastMessage.user("This?", listOf(image, none)), PastMessage.assistant("No.")),
          )
        for ((code, messages) in wrong) {
          val chat = model.chat(messages = messages)
          repeat(2) { assertFails(code) { chat.answer(question) } }
          chat.close()
        }
        assertEquals(answer, model.chat(null, emptyList()).answer(question, listOf(image)).text)
      }
    }

  @Test
  fun `an answer that is stopped is told with its numbers`() =
    runBlocking<Unit> {
      demo().use { model ->
        val chat = model.chat()
        val askers =
          listOf<suspend (StopSignal, suspend (String) -> Unit) -> Answer>(
            { stop, onText -> model.answer(listOf(image), question, long, stop, onText) },
            { stop, onText -> chat.answer(question, listOf(image), long, stop, onText) },
          )
        for (ask in askers) {
          val stop = StopSignal()
          var said = 0
          val stopped = ask(stop) { if (++said == 3) stop.stop() }
          assertEquals(FinishReason.CANCELLED, stopped.finishReason)
          assertTrue(stopped.text.startsWith("ab"))
          assertEquals(model.info.imageTokens, stopped.usage.imageTokens)
          assertTrue(stopped.usage.completionTokens in 3..1000)
          assertTrue(stopped.timings.prefillMs > 0 && stopped.timings.firstTokenMs > 0)

          val never = ask(stop) { fail("it was stopped before it began") }
          assertEquals("" to FinishReason.CANCELLED, never.text to never.finishReason)
          assertEquals(0, never.usage.promptTokens)
          assertEquals(0.0, never.timings.decodeMs, 0.0)
        }
        val second = chat.answer("And?", options = AskOptions(maxTokens = 1))
        assertTrue("the turn that had words stays", second.usage.imageTokens > 0)
        assertEquals(answer, model.text(image, question))
      }
    }

  @Test
  fun `a cancelled coroutine throws, also where it is stopped`() =
    runBlocking<Unit> {
      demo().use { model ->
        val stop = StopSignal()
        val asking =
          async(Dispatchers.Default) { model.answer(listOf(image), question, long, stop) }
        delay(60)
        asking.cancel()
        stop.stop()
        try {
          asking.await()
          fail("an answer although its coroutine was cancelled")
        } catch (_: CancellationException) {}
      }
    }

  @Test
  fun `stopping at 50 random moments`() =
    runBlocking<Unit> {
      val random = Random(23)
      demo().use { model ->
        val reasons =
          List(50) {
            val stop = StopSignal()
            val asking =
              async(Dispatchers.Default) { model.answer(listOf(image), question, long, stop) }
            delay(random.nextLong(0, 60))
            stop.stop()
            asking.await().finishReason
          }
        assertEquals(List(50) { FinishReason.CANCELLED }, reasons)
        assertEquals(answer, model.text(image, question))
      }
    }
}
