package dev.tinyvlm.internal

import java.io.File

/**
 * How many threads a phone computes fastest with: one for each core that is not of its slowest
 * kind, because every step waits for the slowest thread. Where all cores are of one kind, or the
 * system does not tell, all up to four, then half of them; at most eight.
 *
 * @param cpuFolder where Linux tells the most that each core can be clocked with.
 */
internal fun fastCores(
  cpuFolder: File = File("/sys/devices/system/cpu"),
  processors: Int = Runtime.getRuntime().availableProcessors(),
): Int {
  val frequencies = maxFrequencies(cpuFolder)
  val slowest = frequencies.minOrNull()
  val fast = frequencies.count { it != slowest }
  val usual = if (processors <= 4) processors else (processors + 1) / 2
  return (if (fast > 0) minOf(fast, processors) else usual).coerceIn(1, 8)
}

/** In kHz, of all cores; empty where that of one cannot be read. */
private fun maxFrequencies(cpuFolder: File): List<Long> {
  val cores = cpuFolder.listFiles { file -> file.name.matches(Regex("cpu[0-9]+")) }.orEmpty()
  val found =
    cores.map { core ->
      runCatching { File(core, "cpufreq/cpuinfo_max_freq").readText().trim().toLong() }.getOrNull()
    }
  return if (null in found) emptyList() else found.filterNotNull()
}
