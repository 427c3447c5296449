package dev.tinyvlm.packaging

import com.android.tools.r8.CompilationMode
import com.android.tools.r8.D8
import com.android.tools.r8.D8Command
import com.android.tools.r8.Diagnostic
import com.android.tools.r8.DiagnosticsHandler
import com.android.tools.r8.JdkClassFileProvider
import com.android.tools.r8.OutputMode
import com.android.tools.r8.R8
import com.android.tools.r8.R8Command
import com.android.tools.r8.origin.Origin
import dev.tinyvlm.root
import dev.tinyvlm.temporaryFolder
import java.io.File
import java.nio.file.Path
import java.util.zip.ZipEntry
import java.util.zip.ZipFile
import java.util.zip.ZipOutputStream
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The AAR, as the build of an app takes it. */
class PackagingTest {
  private val version = System.getProperty("tinyvlm.version")!!
  private val output = File(System.getProperty("tinyvlm.output")!!)
  private val repository = File(output, "maven/dev/tinyvlm/tiny-vlm/$version")
  private val aar = repository.listFiles { file -> file.extension == "aar" }!!.single()
  private val abis = listOf("arm64-v8a", "x86_64")

  private val entries =
    ZipFile(aar).use { zip ->
      zip
        .entries()
        .asSequence()
        .filterNot { it.isDirectory }
        .associate { it.name to zip.getInputStream(it).readBytes() }
    }
  private val classes =
    File(temporaryFolder(), "classes.jar").apply { writeBytes(entries.getValue("classes.jar")) }

  @Test
  fun `the layout is that of an AAR, and its name says what is missing`() {
    val fixed = setOf("AndroidManifest.xml", "classes.jar", "R.txt", "proguard.txt")
    assertEquals(fixed, entries.keys.filterNot { it.startsWith("jni/") }.toSet())
    val libraries = entries.keys.filter { it.startsWith("jni/") }.toSet()
    val missing = abis.filterNot { "jni/$it/libtinyvlm.so" in libraries }
    assertTrue("$libraries", libraries.all { it in abis.map { abi -> "jni/$abi/libtinyvlm.so" } })
    val incomplete = if (missing.isEmpty()) "" else "-incomplete"
    assertEquals("tiny-vlm-$version$incomplete.aar", aar.name)
    for (library in libraries) {
      val elf = entries.getValue(library).copyOf(20)
      assertEquals(library, "7f454c46", elf.take(4).joinToString("") { "%02x".format(it) })
      assertEquals(library, if ("arm64" in library) 183 else 62, elf[18].toInt() and 255)
      val names = entries.getValue(library).toString(Charsets.ISO_8859_1)
      assertTrue("$library is built without the natives", "\u0000JNI_OnLoad\u0000" in names)
    }
    assertEquals(0, entries.getValue("R.txt").size)
  }

  @Test
  fun `the manifest asks for nothing`() {
    val manifest = entries.getValue("AndroidManifest.xml").toString(Charsets.UTF_8)
    assertTrue("android:minSdkVersion=\"24\"" in manifest)
    assertTrue("uses-permission" !in manifest && "<application" !in manifest)
  }

  @Test
  fun `classes are the library's own, with the licences of what it contains`() {
    val names = ZipFile(classes).use { zip -> zip.entries().asSequence().map { it.name }.toList() }
    val strange =
      names.filterNot {
        it.endsWith("/") ||
          it.startsWith("dev/tinyvlm/") && it.endsWith(".class") ||
          it.startsWith("META-INF/")
      }
    assertEquals(emptyList<String>(), strange)
    assertTrue("META-INF/dev.tinyvlm/LICENSE" in names)
    assertTrue("META-INF/dev.tinyvlm/THIRD-PARTY-NOTICES.txt" in names)
  }

  @Test
  fun `the pom names what the library needs`() {
    val pom = File(repository, "tiny-vlm-$version.pom").readText()
    assertTrue("<packaging>aar</packaging>" in pom && "<version>$version</version>" in pom)
    assertTrue("a word in braces was left", '{' !in pom)
    assertTrue(File(repository, "tiny-vlm-$version-sources.jar").length() > 10_000)
  }

  // Complaints are failures.
  private val complaints = ArrayList<String>()
  private val handler =
    object : DiagnosticsHandler {
      override fun warning(diagnostic: Diagnostic) {
        complaints += diagnostic.diagnosticMessage
      }

      override fun error(diagnostic: Diagnostic) {
        complaints += diagnostic.diagnosticMessage
      }
    }

  private fun onClassPath(name: String, group: String = "/org/jetbrains/"): Path =
    System.getProperty("java.class.path")
      .split(File.pathSeparator)
      .map(::File)
      .single {
        it.name.matches(Regex("$name-[0-9].*\\.jar")) && group in it.invariantSeparatorsPath
      }
      .toPath()

  // Robolectric's Android is without java.*, which the JDK has.
  private val android = onClassPath("android-all", "/org/robolectric/")
  private val libraries =
    listOf("kotlin-stdlib", "kotlinx-coroutines-core-jvm", "annotations").map {
      classesOf(onClassPath(it))
    }

  // A copy without META-INF, where the libraries have files of the same names.
  private fun classesOf(jar: Path): Path {
    val copy = File(temporaryFolder(), "${jar.fileName}")
    ZipOutputStream(copy.outputStream()).use { output ->
      ZipFile(jar.toFile()).use { zip ->
        for (entry in zip.entries()) {
          if (entry.isDirectory || entry.name.startsWith("META-INF/")) continue
          output.putNextEntry(ZipEntry(entry.name))
          zip.getInputStream(entry).copyTo(output)
        }
      }
    }
    return copy.toPath()
  }

  // The names in a DEX file, which are MUTF-8 between zero bytes.
  private fun namesIn(dex: ByteArray): Set<String> {
    val names = HashSet<String>()
    var begin = 0
    for (at in dex.indices) {
      if (dex[at] != 0.toByte()) continue
      // The length before a name has one byte where it is short.
      if (at - begin > 1) names += String(dex, begin + 1, at - begin - 1, Charsets.UTF_8)
      begin = at + 1
    }
    return names
  }

  private fun dexOf(folder: File) =
    folder.listFiles { file -> file.extension == "dex" }!!.single().readBytes()

  @Test
  fun `D8 takes it for Android 7`() {
    val dex = temporaryFolder()
    D8.run(
      D8Command.builder(handler)
        .addProgramFiles(classes.toPath())
        .addLibraryFiles(android)
        .addLibraryResourceProvider(JdkClassFileProvider.fromSystemJdk())
        .addClasspathFiles(libraries)
        .setMinApiLevel(24)
        .setOutput(dex.toPath(), OutputMode.DexIndexed)
        .build()
    )
    assertEquals(emptyList<String>(), complaints)
    assertTrue("Ldev/tinyvlm/TinyVlm;" in namesIn(dexOf(dex)))
  }

  @Test
  fun `R8 shrinks it, and leaves what native code calls`() {
    val dex = temporaryFolder()
    val app =
      listOf(
        "-keep class dev.tinyvlm.AndroidTinyVlm { public *; }",
        // As the coroutines' own rules have it, which an app's build reads.
        "-dontwarn org.codehaus.mojo.animal_sniffer.IgnoreJRERequirement",
      )
    R8.run(
      R8Command.builder(handler)
        .setMode(CompilationMode.RELEASE)
        .addProgramFiles(listOf(classes.toPath()) + libraries)
        .addLibraryFiles(android)
        .addLibraryResourceProvider(JdkClassFileProvider.fromSystemJdk())
        .addProguardConfiguration(
          entries.getValue("proguard.txt").toString(Charsets.UTF_8).lines(),
          Origin.unknown(),
        )
        .addProguardConfiguration(app, Origin.unknown())
        .setMinApiLevel(24)
        .setOutput(dex.toPath(), OutputMode.DexIndexed)
        .build()
    )
    assertEquals(emptyList<String>(), complaints)
    val names = namesIn(dexOf(dex))
    val source = File(root, "mobile/android/src/main/c/tinyvlm_jni.c").readText()
    val natives = Regex("NATIVE\\(\"(\\w+)\"").findAll(source).map { it.groupValues[1] }.toList()
    assertTrue("${natives.size} natives", natives.size > 20)
    val wanted =
      natives +
        listOf("fail", "report", "read") +
        listOf("Native", "NativeProgress", "NativeRows").map { "Ldev/tinyvlm/internal/$it;" }
    assertEquals(emptyList<String>(), wanted.filterNot { it in names })
    assertTrue("renamed", "Ldev/tinyvlm/internal/Engine;" !in names)
  }
}
