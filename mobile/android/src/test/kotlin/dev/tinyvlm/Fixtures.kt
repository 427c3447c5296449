package dev.tinyvlm

import dev.tinyvlm.internal.Json
import java.io.File
import java.nio.file.Files
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assert.fail

/** The repository. */
val root: File = File(System.getProperty("tinyvlm.root")!!).canonicalFile

val demoModel: File = File(root, "model/tiny-vlm-demo.gguf")
private val samplesFolder = File(root, "examples-web/samples")

/** A sample image with what the web build answers about it: the list that its own tests read. */
class Sample(json: Map<*, *>) {
  val png: File = File(samplesFolder, json["image"] as String)
  val jpeg: File = File(samplesFolder, json["large"] as String)
  val answers: Map<String, String> =
    (json["questions"] as List<*>).associate {
      it as Map<*, *>
      it["question"] as String to it["answer"] as String
    }
}

val samples: List<Sample> by lazy {
  val list = Json.parse(File(samplesFolder, "samples.json").readText()) as List<*>
  list.map { Sample(it as Map<*, *>) }
}

/** The demo model, loaded. */
fun demo(options: LoadOptions = LoadOptions(threads = 2)): TinyVlm = runBlocking {
  TinyVlm.load(ModelSource.file(demoModel), options)
}

/** The whole text of an answer, as its flow gives it. */
suspend fun TinyVlm.text(image: ImageInput?, question: String): String =
  ask(image, question).toList().joinToString("")

/** A folder that is deleted by the system, if at all. */
fun temporaryFolder(): File =
  Files.createTempDirectory("tiny-vlm-test").toFile().also(File::deleteOnExit)

/** Asserts that `work` fails with `code` and a sentence that has all of `words`. */
inline fun assertFails(code: ErrorCode, vararg words: String, work: () -> Unit): TinyVlmException {
  try {
    work()
  } catch (error: TinyVlmException) {
    assertEquals(error.toString(), code, error.code)
    for (word in words) assertTrue("wanted \"$word\" in: $error", word in error.message!!)
    return error
  }
  fail("wanted $code, found no error")
  throw AssertionError()
}

/** Kilobytes of this process's memory that are in use. */
fun residentKilobytes(): Long {
  val line = File("/proc/self/status").readLines().first { it.startsWith("VmRSS:") }
  return line.filter(Char::isDigit).toLong()
}
