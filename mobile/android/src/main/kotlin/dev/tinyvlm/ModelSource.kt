package dev.tinyvlm

import java.io.File

/** Where a model file comes from. */
public sealed class ModelSource {
  /** For messages. */
  internal abstract val name: String

  internal class InFile(val file: File) : ModelSource() {
    override val name
      get() = file.path
  }

  internal class InMemory(val bytes: ByteArray) : ModelSource() {
    override val name
      get() = "the given bytes"
  }

  internal class InDescriptor(val descriptor: Int, val offset: Long, val length: Long) :
    ModelSource() {
    override val name
      get() = "the descriptor $descriptor"
  }

  internal class InAssets(override val name: String) : ModelSource()

  internal class InContent(val uri: String) : ModelSource() {
    override val name
      get() = uri
  }

  internal class Downloaded(val download: ModelDownload) : ModelSource() {
    override val name
      get() = download.url
  }

  public companion object {
    /**
     * A file. One that is packed (`tiny-vlm convert --packing panel16`) is mapped, and must not be
     * changed while the model is open; others are read.
     */
    @JvmStatic public fun file(file: File): ModelSource = InFile(file)

    /** The bytes of a model file, which are copied. */
    @JvmStatic public fun bytes(bytes: ByteArray): ModelSource = InMemory(bytes)

    /**
     * A part of an open file, which stays the caller's and may be closed after the load.
     *
     * @param offset of its first byte.
     * @param length in bytes.
     */
    @JvmStatic
    public fun descriptor(descriptor: Int, offset: Long, length: Long): ModelSource =
      InDescriptor(descriptor, offset, length)

    /**
     * A file in the app's assets, by its path there. It must not be compressed: `androidResources {
     * noCompress += "gguf" }` in the app's build.gradle.kts. Wants a load with a Context.
     */
    @JvmStatic public fun asset(path: String): ModelSource = InAssets(path)

    /**
     * A file of another app, by its `content:` address, such as a document that the user picked.
     * Wants a load with a Context.
     */
    @JvmStatic public fun content(uri: String): ModelSource = InContent(uri)

    /** A file that is fetched first, where it is not there yet. */
    @JvmStatic public fun download(download: ModelDownload): ModelSource = Downloaded(download)
  }
}
