package dev.tinyvlm.android

import android.content.ComponentCallbacks2
import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.content.res.AssetManager
import android.database.Cursor
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Color
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.os.PowerManager
import dev.tinyvlm.*
import dev.tinyvlm.internal.AndroidPlatform
import dev.tinyvlm.internal.fastCores
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.FileNotFoundException
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/**
 * What needs Android: Bitmaps, content, assets, memory callbacks. With Android 14's own classes.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], manifest = Config.NONE)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class AndroidTest {
  private val context: Context = RuntimeEnvironment.getApplication()
  private val options = LoadOptions(threads = 2)

  private suspend fun load(): TinyVlm = TinyVlm.load(context, ModelSource.file(demoModel), options)

  private fun bitmapOf(file: File, config: Bitmap.Config = Bitmap.Config.ARGB_8888): Bitmap =
    BitmapFactory.decodeFile(
      file.path,
      BitmapFactory.Options().apply { inPreferredConfig = config },
    )

  @Test
  fun `bitmaps of all sample images get the answers of the web build`() =
    runBlocking<Unit> {
      load().use { model ->
        for (sample in samples) {
          val bitmap = bitmapOf(sample.png)
          for ((question, answer) in sample.answers) assertEquals(
            sample.png.name,
            answer,
            model.ask(bitmap, question).toList().joinToString(""),
          )
        }
      }
    }

  @Test
  fun `bitmaps of every configuration`() =
    runBlocking<Unit> {
      load().use { model ->
        val sample = samples.first()
        val (question, answer) = sample.answers.entries.first()
        // Not HARDWARE and RGBA_1010102, which Android's renderer does not make on a PC.
        val configs =
          listOf(
            Bitmap.Config.RGB_565,
            Bitmap.Config.ARGB_4444,
            Bitmap.Config.ARGB_8888,
            Bitmap.Config.RGBA_F16,
          )
        for (config in configs) {
          val bitmap = bitmapOf(sample.png).copy(config, false)
          assertEquals("$config", config, bitmap.config)
          assertEquals("$config", answer, model.text(ImageInput.bitmap(bitmap), question))
        }
        val mask = bitmapOf(sample.png).extractAlpha()
        assertEquals(Bitmap.Config.ALPHA_8, mask.config)
        assertTrue(model.text(ImageInput.bitmap(mask), question).isNotEmpty())
      }
    }

  @Test
  fun `alpha is laid over white, not over black`() =
    runBlocking<Unit> {
      load().use { model ->
        val sample = samples.first()
        val question = sample.answers.keys.first()
        val opaque = bitmapOf(sample.png)
        val pixels = IntArray(opaque.width * opaque.height)
        opaque.getPixels(pixels, 0, opaque.width, 0, 0, opaque.width, opaque.height)
        fun bitmapOf(pixel: (Int) -> Int): Bitmap {
          val bitmap = Bitmap.createBitmap(opaque.width, opaque.height, Bitmap.Config.ARGB_8888)
          val changed = IntArray(pixels.size) { pixel(pixels[it]) }
          bitmap.setPixels(changed, 0, opaque.width, 0, 0, opaque.width, opaque.height)
          return bitmap
        }
        val background = pixels[0]
        val clear = bitmapOf { if (it == background) Color.TRANSPARENT else it }
        val white = bitmapOf { if (it == background) Color.WHITE else it }
        assertEquals(
          model.text(ImageInput.bitmap(white), question),
          model.text(ImageInput.bitmap(clear), question),
        )
      }
    }

  @Test
  fun `a recycled bitmap is an error, and the model lives on`() =
    runBlocking<Unit> {
      load().use { model ->
        val bitmap = bitmapOf(samples.first().png)
        val asking = model.ask(bitmap, "?")
        bitmap.recycle()
        assertFails(ErrorCode.INVALID_IMAGE, "recycled") { asking.collect() }
        val (question, answer) = samples.first().answers.entries.first()
        assertEquals(answer, model.text(ImageInput.bitmap(bitmapOf(samples.first().png)), question))
      }
    }

  @Test
  fun `formats that the engine does not know are decoded by Android, scaled down`() =
    runBlocking<Unit> {
      load().use { model ->
        for (sample in samples.take(3)) {
          val (question, answer) = sample.answers.entries.first()
          val webp = ByteArrayOutputStream()
          assertTrue(bitmapOf(sample.jpeg).compress(Bitmap.CompressFormat.WEBP_LOSSLESS, 1, webp))
          assertEquals(answer, model.text(ImageInput.encoded(webp.toByteArray()), question))
        }
        assertFails(ErrorCode.INVALID_IMAGE) {
          model.text(ImageInput.encoded("RIFF....WEBP".toByteArray()), "?")
        }
      }
      assertEquals(1, AndroidPlatform.sampleSize(511, 300, 256))
      assertEquals(2, AndroidPlatform.sampleSize(300, 512, 256))
      assertEquals(8, AndroidPlatform.sampleSize(4000, 3000, 256))
    }

  @Test
  fun `content of other apps, as image and as model`() =
    runBlocking<Unit> {
      Robolectric.setupContentProvider(Files::class.java, "files")
      val sample = samples.first()
      val (question, answer) = sample.answers.entries.first()
      val image = ImageInput.uri(context, Uri.parse("content://files${sample.png.path}"))
      val model = Uri.parse("content://files${demoModel.path}")
      TinyVlm.load(context, ModelSource.content(model), options).use {
        assertEquals(answer, it.text(image, question))
        val nothing = ImageInput.uri(context, Uri.parse("content://files/nowhere.png"))
        assertFails(ErrorCode.NOT_FOUND, "nowhere.png") { it.text(nothing, question) }
      }
      assertFails(ErrorCode.NOT_FOUND, "content://files/no.gguf") {
        TinyVlm.load(context, ModelSource.content("content://files/no.gguf"))
      }
    }

  @Test
  fun `a model in the app's assets, which must not be compressed`() =
    runBlocking<Unit> {
      val archive = File(System.getProperty("tinyvlm.output")!!, "assets.apk")
      val add = AssetManager::class.java.getMethod("addAssetPath", String::class.java)
      assertTrue(add.invoke(context.assets, archive.path) as Int > 0)
      val (question, answer) = samples.first().answers.entries.first()
      val image = ImageInput.encoded(samples.first().png.readBytes())
      TinyVlm.load(context, ModelSource.asset("tiny-vlm-demo.gguf"), options).use {
        assertEquals(answer, it.text(image, question))
      }
      assertFails(ErrorCode.UNSUPPORTED, "noCompress += \"gguf\"") {
        TinyVlm.load(context, ModelSource.asset("compressed/tiny-vlm-demo.gguf"))
      }
    }

  @Test
  fun `an asset that is not there`() =
    runBlocking<Unit> {
      assertFails(ErrorCode.NOT_FOUND, "asset \"no.gguf\"") {
        TinyVlm.load(context, ModelSource.asset("no.gguf"))
      }
    }

  @Test
  fun `memory is trimmed when Android asks for it`() =
    runBlocking<Unit> {
      val application = RuntimeEnvironment.getApplication()
      load().use { model ->
        val (question, answer) = samples.first().answers.entries.first()
        val image = ImageInput.encoded(samples.first().png.readBytes())
        suspend fun reused() =
          model
            .answer(listOf(image), question)
            .also { assertEquals(answer, it.text) }
            .usage
            .reusedTokens
        assertEquals(0, reused())
        assertTrue("kept", reused() > 0)
        application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
        assertTrue("kept while only hidden", reused() > 0)
        application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
        assertEquals("made anew", 0, reused())
      }
      // Of a model that is closed.
      application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_COMPLETE)
    }

  @Test
  fun `fewer threads compute while the device saves energy or is hot`() =
    runBlocking<Unit> {
      val power = shadowOf(context.getSystemService(PowerManager::class.java))
      val fast = fastCores()
      assertEquals(fast, threadsNow(context))
      power.setIsPowerSaveMode(true)
      assertEquals(maxOf(1, fast / 2), threadsNow(context))
      val source = ModelSource.file(demoModel)
      TinyVlm.load(context, source).use { assertEquals(threadsNow(context), it.info.threads) }
      load().use { assertEquals("what the app says holds", 2, it.info.threads) }
      power.setIsPowerSaveMode(false)
      power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_MODERATE)
      assertEquals(fast, threadsNow(context))
      power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_SEVERE)
      assertEquals(maxOf(1, fast / 2), threadsNow(context))
    }

  @Test
  fun `a download's place is not backed up`() {
    val file = TinyVlm.modelFile(context, "model.gguf")
    assertTrue(file.path.startsWith(context.noBackupFilesDir.path))
    assertFalse(file.exists())
  }

  /** Gives out the files of this machine. */
  class Files : ContentProvider() {
    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
      val file = File(uri.path!!)
      if (!file.exists()) throw FileNotFoundException("$file")
      return ParcelFileDescriptor.open(file, ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun onCreate() = true

    override fun getType(uri: Uri) = "application/octet-stream"

    override fun query(
      uri: Uri,
      projection: Array<String>?,
      selection: String?,
      arguments: Array<String>?,
      order: String?,
    ): Cursor? = null

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, selection: String?, arguments: Array<String>?) = 0

    override fun update(
      uri: Uri,
      values: ContentValues?,
      selection: String?,
      arguments: Array<String>?,
    ) = 0
  }
}
