package dev.tinyvlm.core

import dev.tinyvlm.*
import dev.tinyvlm.internal.Json
import dev.tinyvlm.internal.fastCores
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Test

/** The parts that need no model. */
class SmallPartsTest {
  @Test
  fun `error codes are those of docs errors`() {
    val entries =
      Regex("^- \\*\\*`(\\w+)`\\*\\* \\((\\d+)\\):", RegexOption.MULTILINE)
        .findAll(File(root, "docs/errors.md").readText())
        .map { (_, word, number) -> word to number.toInt() }
    assertEquals(entries.toList(), ErrorCode.entries.map { it.word to it.number })
  }

  private operator fun MatchResult.component1() = groupValues[0]

  private operator fun MatchResult.component2() = groupValues[1]

  private operator fun MatchResult.component3() = groupValues[2]

  @Test
  fun `the core has no types of Android`() {
    val sources = File(root, "mobile/android/src/main/kotlin/dev/tinyvlm")
    val core = sources.walk().filter { it.extension == "kt" && it.parentFile.name != "android" }
    val found =
      core.filter {
        Regex("^import androidx?\\.", RegexOption.MULTILINE).containsMatchIn(it.readText())
      }
    assertEquals(emptyList<File>(), found.toList())
  }

  @Test
  fun `JSON is read and written`() {
    val text = """{"a":[1,-2,2.5,1.0E30,true,false],"b":"\"\\\u0001 é \ud83d\udc27\n","c":{}}"""
    val value = Json.parse(text)
    assertEquals(value, Json.parse(Json.write(value)))
    assertEquals(listOf(1L, -2L, 2.5, 1e30, true, false), (value as Map<*, *>)["a"])
    assertEquals("\"\\\u0001 é \uD83D\uDC27\n", value["b"])
    assertEquals("{}", Json.write(mapOf("left out" to null)))
    val wrong =
      listOf(
        "",
        "{",
        "[1,]",
        "{\"a\"}",
        "01",
        "1 2",
        "\"\\x\"",
        "\"",
        "nul",
        "\"\\u12g4\"",
        "\"\u0001\"",
        "[".repeat(300),
      )
    for (json in wrong) assertFails(ErrorCode.INVALID_ARGUMENT, "JSON") { Json.parse(json) }
    assertFails(ErrorCode.INVALID_ARGUMENT, "NaN") { Json.write(Double.NaN) }
  }

  private fun cores(vararg mhz: Int?): File {
    val folder = temporaryFolder()
    for ((core, frequency) in mhz.withIndex()) {
      val about = File(folder, "cpu$core/cpufreq").apply { mkdirs() }
      if (frequency != null) File(about, "cpuinfo_max_freq").writeText("${frequency}000\n")
    }
    File(folder, "cpuidle").mkdirs()
    return folder
  }

  @Test
  fun `threads are the fast cores`() {
    assertEquals(
      "4 + 3 + 1",
      4,
      fastCores(cores(1800, 1800, 1800, 1800, 2500, 2500, 2500, 3000), 8),
    )
    assertEquals("6 + 2", 2, fastCores(cores(1800, 1800, 1800, 1800, 1800, 1800, 2200, 2400), 8))
    assertEquals(
      "of one kind",
      4,
      fastCores(cores(2000, 2000, 2000, 2000, 2000, 2000, 2000, 2000), 8),
    )
    assertEquals("of one kind", 4, fastCores(cores(1400, 1400, 1400, 1400), 4))
    assertEquals(
      "not all readable",
      4,
      fastCores(cores(1800, 1800, 1800, 1800, null, 2500, 2500, 2500), 8),
    )
    assertEquals("fewer for this process", 2, fastCores(cores(1000, 1000, 2000, 2000, 2000), 2))
    assertEquals("nothing to read", 1, fastCores(File("nowhere"), 1))
    assertEquals("nothing to read", 8, fastCores(File("nowhere"), 64))
  }
}
