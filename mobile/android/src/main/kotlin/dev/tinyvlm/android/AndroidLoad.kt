@file:JvmName("AndroidTinyVlm")

package dev.tinyvlm

import android.content.ComponentCallbacks2
import android.content.Context
import android.content.res.Configuration
import android.net.Uri
import android.os.Build
import android.os.ParcelFileDescriptor
import android.os.PowerManager
import dev.tinyvlm.internal.AndroidPlatform
import dev.tinyvlm.internal.fastCores
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.lang.ref.WeakReference
import java.util.concurrent.Executor
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.withContext

/**
 * Loads a model: from the app's assets, another app's content, a file, memory or a download. It
 * frees what can be made again when Android asks for memory ([TinyVlm.trimMemory]). Errors are
 * those of [TinyVlm.load] without a Context; for an asset also `not_found`, and `unsupported` where
 * it is compressed. Any Context: its application's is used.
 */
public suspend fun TinyVlm.Companion.load(
  context: Context,
  source: ModelSource,
  options: LoadOptions = LoadOptions(),
  onProgress: (LoadProgress) -> Unit = {},
): TinyVlm {
  val application = context.applicationContext ?: context
  val model =
    withContext(Dispatchers.IO) {
      val threads = threadsNow(application)
      open(application, source) { load(it, options, threads, AndroidPlatform, onProgress) }
    }
  trimWithSystem(application, model)
  return model
}

/** The same as a flow: see [TinyVlm.loading] without a Context. */
public fun TinyVlm.Companion.loading(
  context: Context,
  source: ModelSource,
  options: LoadOptions = LoadOptions(),
): Flow<Loading> = loadingFlow { onProgress -> load(context, source, options, onProgress) }

/** The same for Java: [listener] is called on [executor]. */
@JvmName("loadAsync")
public fun TinyVlm.Companion.loadAsync(
  context: Context,
  source: ModelSource,
  options: LoadOptions,
  executor: Executor,
  listener: LoadListener,
): Request =
  loadRequest(executor, listener) { onProgress -> load(context, source, options, onProgress) }

/**
 * A file in the app's folder for what need not be backed up: the place for a download.
 *
 * @param name the file's name.
 */
public fun TinyVlm.Companion.modelFile(context: Context, name: String): File =
  File(File(context.noBackupFilesDir, "tiny-vlm"), name)

/** A model file of another app, such as a document that the user picked. */
public fun ModelSource.Companion.content(uri: Uri): ModelSource = content(uri.toString())

/** The fast cores; half of them while the device saves energy or is hot. */
internal fun threadsNow(context: Context): Int {
  val fast = fastCores()
  val power = context.getSystemService(PowerManager::class.java) ?: return fast
  val hot =
    Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q &&
      power.currentThermalStatus >= PowerManager.THERMAL_STATUS_SEVERE
  return if (hot || power.isPowerSaveMode) maxOf(1, fast / 2) else fast
}

// The descriptor stays open while `use` runs.
private suspend fun <T> open(
  context: Context,
  source: ModelSource,
  use: suspend (ModelSource) -> T,
): T =
  when (source) {
    is ModelSource.InAssets ->
      assetDescriptor(context, source.name).use {
        use(ModelSource.descriptor(it.parcelFileDescriptor.fd, it.startOffset, it.length))
      }
    is ModelSource.InContent ->
      contentDescriptor(context, source.uri).use {
        use(ModelSource.descriptor(it.fd, 0, it.statSize))
      }
    else -> use(source)
  }

private fun assetDescriptor(context: Context, path: String) =
  try {
    context.assets.openFd(path)
  } catch (error: IOException) {
    // openFd fails in the same way where there is no asset.
    val there = runCatching { context.assets.open(path).close() }.isSuccess
    if (!there)
      throw TinyVlmException(ErrorCode.NOT_FOUND, "there is no asset \"$path\" in this app", error)
    throw TinyVlmException(
      ErrorCode.UNSUPPORTED,
      "the asset \"$path\" is compressed, so that it cannot be mapped; put androidResources { " +
        "noCompress += \"${path.substringAfterLast('.')}\" } into the app's build.gradle.kts",
      error,
    )
  }

private fun contentDescriptor(context: Context, uri: String): ParcelFileDescriptor {
  val descriptor =
    try {
      context.contentResolver.openFileDescriptor(Uri.parse(uri), "r")
    } catch (error: FileNotFoundException) {
      throw TinyVlmException(
        ErrorCode.NOT_FOUND,
        "there is nothing at $uri: ${error.message}",
        error,
      )
    } catch (error: SecurityException) {
      throw TinyVlmException(ErrorCode.IO, "$uri may not be read: ${error.message}", error)
    } ?: throw TinyVlmException(ErrorCode.NOT_FOUND, "there is nothing at $uri")
  if (descriptor.statSize >= 0) return descriptor
  descriptor.close()
  throw TinyVlmException(
    ErrorCode.UNSUPPORTED,
    "$uri is a stream, not a file: copy it into a file of the app's first",
  )
}

// The callbacks do not keep a model that nobody closes.
private fun trimWithSystem(application: Context, model: TinyVlm) {
  val reference = WeakReference(model)
  val callbacks =
    object : ComponentCallbacks2 {
      override fun onTrimMemory(level: Int) {
        if (level != ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN) reference.get()?.trimMemory()
      }

      override fun onConfigurationChanged(newConfig: Configuration) {}

      @Deprecated("Of ComponentCallbacks: Android calls both.")
      override fun onLowMemory() {
        reference.get()?.trimMemory()
      }
    }
  application.registerComponentCallbacks(callbacks)
  model.whenClosed { application.unregisterComponentCallbacks(callbacks) }
}
