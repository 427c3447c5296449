package dev.tinyvlm.android

import android.os.PowerManager
import dev.tinyvlm.*
import dev.tinyvlm.internal.AndroidPlatform
import dev.tinyvlm.internal.fastCores
import dev.tinyvlm.internal.threadsFor
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** What the phone's state changes. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], manifest = Config.NONE)
@GraphicsMode(GraphicsMode.Mode.NATIVE) // as the others: a sandbox of its own had the library again
class DeviceTest {
  private val application = RuntimeEnvironment.getApplication()
  private val power = shadowOf(application.getSystemService(PowerManager::class.java))
  private val platform = AndroidPlatform(application)

  private suspend fun threads(options: LoadOptions = LoadOptions()) =
    TinyVlm.load(application, ModelSource.file(demoModel), options).use { it.info.threads }

  @Test
  fun `a model is loaded with fewer threads in a low-power mode`() =
    runBlocking<Unit> {
      assertEquals(false, platform.wantsLess())
      assertEquals(fastCores(), threads())
      power.setIsPowerSaveMode(true)
      assertEquals(true, platform.wantsLess())
      assertEquals(threadsFor(fastCores(), wantsLess = true), threads())
      assertEquals("the caller's choice", 3, threads(LoadOptions(threads = 3)))
    }

  @Test
  fun `heat counts from severe on`() {
    for ((status, less) in
      listOf(
        PowerManager.THERMAL_STATUS_NONE to false,
        PowerManager.THERMAL_STATUS_MODERATE to false,
        PowerManager.THERMAL_STATUS_SEVERE to true,
        PowerManager.THERMAL_STATUS_EMERGENCY to true,
      )) {
      power.setCurrentThermalStatus(status)
      assertEquals("$status", less, platform.wantsLess())
    }
  }
}
