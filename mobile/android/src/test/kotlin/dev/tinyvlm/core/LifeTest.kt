package dev.tinyvlm.core

import dev.tinyvlm.*
import dev.tinyvlm.internal.Handle
import dev.tinyvlm.internal.Reclaimer
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlin.random.Random
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Opening, closing, cancelling, from many threads. */
class LifeTest {
  private val sample = samples.first()
  private val image = ImageInput.encoded(sample.png.readBytes())
  private val question = sample.answers.keys.first()
  private val answer = sample.answers.values.first()
  private val small = LoadOptions(threads = 1, context = 128, imageSize = 64)
  private val endless =
    AskOptions(maxTokens = 2000, responseFormat = ResponseFormat.pattern("(ab){900}"))

  @Test
  fun `1000 times load, ask, close leave no memory behind`() =
    runBlocking<Unit> {
      var after500 = 0L
      repeat(1000) { round ->
        demo(small).use { model ->
          val image = image.takeIf { round % 10 == 0 }
          model.answer(listOfNotNull(image), "Hello?", AskOptions(maxTokens = 2))
        }
        if (round == 500) after500 = residentKilobytes()
      }
      val grown = residentKilobytes() - after500
      println(
        "1000 cycles: $grown kB more than after the first 500, ${residentKilobytes()} kB in all"
      )
      assertTrue("$grown kB more", grown < 10_000)
    }

  @Test
  fun `an answer that is cancelled at 100 random moments ends, and the next one is right`() =
    runBlocking<Unit> {
      val random = Random(17)
      demo().use { model ->
        repeat(100) {
          val asking =
            launch(Dispatchers.Default) { model.ask(image, question, endless).collect {} }
          delay(random.nextLong(0, 60))
          val began = System.nanoTime()
          asking.cancelAndJoin()
          val ms = (System.nanoTime() - began) / 1_000_000
          assertTrue("the collector waited $ms ms", ms < 2000)
          if (it % 20 == 0) assertEquals(answer, model.text(image, question))
        }
        assertEquals(answer, model.text(image, question))
      }
    }

  @Test
  fun `a collector that has enough ends the work`() =
    runBlocking<Unit> {
      demo().use { model ->
        assertEquals(2, model.ask(image, question, endless).take(2).toList().size)
        assertTrue(model.ask(null, question, endless).first().isNotEmpty())
        assertEquals(answer, model.text(image, question))
      }
    }

  @Test
  fun `cancelling from another thread ends a step that is under way`() =
    runBlocking<Unit> {
      // One step is the whole prompt of this model where the budget allows it.
      demo(LoadOptions(threads = 1)).use { model ->
        val asking =
          async(Dispatchers.Default) {
            try {
              model.answer(listOf(image), question, endless)
              "answered"
            } catch (_: CancellationException) {
              "cancelled"
            }
          }
        delay(30)
        thread { asking.cancel() }.join()
        asking.join()
        assertTrue(asking.isCancelled)
      }
    }

  @Test
  fun `8 threads ask one model`() =
    runBlocking<Unit> {
      demo().use { model ->
        val texts =
          List(8) { thread ->
            async(Dispatchers.IO) {
              val sample = samples[thread % samples.size]
              val file = ImageInput.encoded(sample.png.readBytes())
              sample.answers.all { (question, answer) -> model.text(file, question) == answer }
            }
          }
        assertTrue(texts.awaitAll().all { it })
      }
    }

  @Test
  fun `8 threads have a model each`() =
    runBlocking<Unit> {
      val texts =
        List(8) {
          async(Dispatchers.IO) {
            demo(LoadOptions(threads = 1)).use { model -> model.text(image, question) }
          }
        }
      assertEquals(List(8) { answer }, texts.awaitAll())
    }

  @Test
  fun `a closed model and a closed chat say so`() =
    runBlocking<Unit> {
      val model = demo(small)
      val chat = model.chat()
      chat.close()
      chat.close()
      assertFails(ErrorCode.NOT_READY, "chat was closed") { chat.answer("?") }
      model.close()
      model.close()
      assertFails(ErrorCode.NOT_READY, "closed") { model.text(null, "?") }
      assertFails(ErrorCode.NOT_READY, "closed") { model.chat().answer("?") }
      model.trimMemory()
    }

  @Test
  fun `closing ends the answers that are under way, from any thread`() =
    runBlocking<Unit> {
      repeat(20) { round ->
        val model = demo(LoadOptions(threads = 1))
        val asking =
          List(2) {
            async(Dispatchers.Default) {
              runCatching { model.answer(listOf(image), question, endless) }.exceptionOrNull()
            }
          }
        delay(3L * round)
        model.close()
        val codes = asking.awaitAll().map { (it as TinyVlmException).code }
        assertTrue("$codes", codes.all { it == ErrorCode.ABORTED || it == ErrorCode.NOT_READY })
      }
    }

  @Test
  fun `a load can be cancelled`() =
    runBlocking<Unit> {
      repeat(20) { round ->
        val loading =
          async(Dispatchers.Default) { TinyVlm.load(ModelSource.file(demoModel), small) }
        delay(round.toLong())
        loading.cancel()
        runCatching { loading.await().close() }
      }
      // Cancelled by its own progress, in the middle.
      val loading =
        async(Dispatchers.Default) {
          TinyVlm.load(ModelSource.file(demoModel)) {
            coroutineContext[kotlinx.coroutines.Job]!!.cancel()
          }
        }
      loading.join()
      assertTrue(loading.isCancelled)
    }

  @Test
  fun `loading as a flow tells progress, then the model`() =
    runBlocking<Unit> {
      val steps = TinyVlm.loading(ModelSource.file(demoModel), small).toList()
      (steps.last() as Loading.Ready).model.use { assertTrue(it.info.fileBytes > 0) }
      val progress = steps.dropLast(1).map { (it as Loading.Progress).progress }
      assertEquals(progress.last().totalBytes, progress.last().loadedBytes)
      assertEquals(demoModel.length(), progress.last().totalBytes)
    }

  @Test
  fun `a handle is freed once, after the last call on it`() {
    val freed = AtomicInteger()
    val handle = Handle(1, "closed") { freed.incrementAndGet() }
    val inside = CountDownLatch(1)
    val leave = CountDownLatch(1)
    val user = thread {
      handle.use {
        inside.countDown()
        leave.await()
        assertEquals(0, freed.get())
      }
    }
    inside.await()
    handle.close()
    handle.close()
    assertEquals("in use", 0, freed.get())
    assertFails(ErrorCode.NOT_READY, "closed") { handle.use {} }
    leave.countDown()
    user.join()
    assertEquals(1, freed.get())
    handle.ifOpen { throw AssertionError("closed") }
  }

  @Test
  fun `what nobody closes is closed after it was collected`() {
    val reclaimed = CountDownLatch(1)
    fun forget() {
      Reclaimer.register(Any()) { reclaimed.countDown() }
    }
    forget()
    repeat(100) {
      System.gc()
      if (reclaimed.await(50, TimeUnit.MILLISECONDS)) return
    }
    throw AssertionError("never reclaimed")
  }

  @Test
  fun `damaged models are refused`() =
    runBlocking<Unit> {
      val whole = demoModel.readBytes()
      val file = File(temporaryFolder(), "damaged.gguf")
      suspend fun load(bytes: ByteArray) {
        TinyVlm.load(ModelSource.file(file.apply { writeBytes(bytes) })).close()
      }
      assertFails(ErrorCode.INVALID_FILE) { load(whole.copyOf(whole.size / 2)) }
      assertFails(ErrorCode.INVALID_FILE) { load("<!doctype html>".toByteArray()) }
      assertFails(ErrorCode.INVALID_FILE) { load(ByteArray(0)) }
      assertFails(ErrorCode.INVALID_FILE) { load(whole.copyOf().also { it[whole.size - 1000]++ }) }
      assertFails(ErrorCode.INVALID_FILE) {
        TinyVlm.load(ModelSource.bytes(whole.copyOf(1 shl 20)))
      }
      assertFails(ErrorCode.NOT_FOUND, "nowhere") {
        TinyVlm.load(ModelSource.file(File("nowhere")))
      }
      assertFails(ErrorCode.INVALID_ARGUMENT, "Context") {
        TinyVlm.load(ModelSource.asset("m.gguf"))
      }
      val random = Random(3)
      repeat(30) {
        val bytes = whole.copyOf()
        repeat(20) { bytes[random.nextInt(40_000)] = random.nextInt().toByte() }
        try {
          load(bytes)
        } catch (error: TinyVlmException) {
          assertTrue("$error", error.code.number in 2..5)
        }
      }
    }

  @Test
  fun `damaged images are refused`() =
    runBlocking<Unit> {
      demo(small).use { model ->
        val png = sample.png.readBytes()
        assertFails(ErrorCode.INVALID_IMAGE) { model.ask(ByteArray(0), "?").toList() }
        assertFails(ErrorCode.INVALID_IMAGE) { model.ask("GIF89a".toByteArray(), "?").toList() }
        assertFails(ErrorCode.INVALID_IMAGE) { model.ask(png.copyOf(png.size / 2), "?").toList() }
        val cut = samples.first().jpeg.readBytes().let { it.copyOf(it.size * 3 / 4) }
        assertTrue(model.answer(listOf(ImageInput.encoded(cut)), "?").warnings.isNotEmpty())
        assertFails(ErrorCode.INVALID_IMAGE) {
          model.ask(cut, "?", AskOptions(strict = true)).toList()
        }
        assertFails(ErrorCode.INVALID_ARGUMENT, "16") { ImageInput.rgba(ByteArray(15), 2, 2) }
        val plane = YuvPlane(java.nio.ByteBuffer.allocate(3), 2, 1)
        assertFails(ErrorCode.INVALID_ARGUMENT, "plane Y") {
          ImageInput.yuv420(2, 2, plane, plane, plane)
        }
      }
    }

  @Test
  fun `an exception of a callback is the caller's`() =
    runBlocking<Unit> {
      val thrown = runCatching {
        TinyVlm.load(ModelSource.file(demoModel)) { throw IllegalStateException("mine") }
      }
      assertEquals("mine", thrown.exceptionOrNull()!!.message)
      demo(small).use { model ->
        val fromText = runCatching {
          withContext(Dispatchers.Default) {
            model.answer(emptyList(), "Hello?") { throw IllegalStateException("mine") }
          }
        }
        assertEquals("mine", fromText.exceptionOrNull()!!.message)
        model.answer(emptyList(), "Hello?")
      }
    }
}
