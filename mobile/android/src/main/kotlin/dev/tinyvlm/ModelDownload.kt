package dev.tinyvlm

import dev.tinyvlm.internal.FileTransfer
import java.io.File

/**
 * A model file that is fetched over HTTP and kept. [run] is a suspending function that may be
 * called from a WorkManager worker, a service or a view model: what it got is kept when it is
 * cancelled or the process dies, and the next call goes on there.
 */
public class ModelDownload
@JvmOverloads
constructor(
  /** An `http:` or `https:` address. The app needs the permission INTERNET. */
  public val url: String,
  /**
   * Where the file will be. Until it is whole its bytes are in files beside it, whose names end in
   * `.part` and `.part.json`; whatever is at [file] is taken for whole.
   */
  public val file: File,
  /** Headers of the requests; a redirect to another origin goes without them. */
  public val headers: Map<String, String> = emptyMap(),
  /** Milliseconds without a byte after which the connection counts as broken. */
  public val stallTimeoutMillis: Int = 20_000,
) {
  /**
   * Fetches the file unless it is there. Where the file has hashes (those of `tiny-vlm convert` do)
   * each megabyte is compared with its own before it counts, what an earlier call left included. A
   * connection that breaks is tried again, from where it was; if the server has another version by
   * then, from the beginning. Errors: `network`, `http`, `invalid_file` (a web page, damage that
   * comes again), `io` (also: no space), `invalid_argument` (not an HTTP address).
   *
   * @param onProgress called now and then, on a thread of Tiny-VLM's; it must not throw.
   */
  public suspend fun run(onProgress: (LoadProgress) -> Unit = {}) {
    FileTransfer(this).run(onProgress)
  }

  /** Deletes the file and what was begun of it. */
  public fun delete() {
    file.delete()
    FileTransfer.partOf(file).delete()
    FileTransfer.stateOf(file).delete()
  }
}
