package dev.tinyvlm.example

import android.app.Application
import android.net.Uri
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.viewModelScope
import dev.tinyvlm.ImageInput
import dev.tinyvlm.ModelSource
import dev.tinyvlm.TinyVlm
import dev.tinyvlm.TinyVlmException
import dev.tinyvlm.load
import dev.tinyvlm.uri
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch

/** The photo, the question and the words so far; owns the model. */
class Photographer(application: Application) : AndroidViewModel(application) {
  var photo: Uri? by mutableStateOf(null)
    private set

  var words: String by mutableStateOf("")
    private set

  var busy: Boolean by mutableStateOf(false)
    private set

  // A load that fails is told with the first question.
  private val model: Deferred<TinyVlm> =
    viewModelScope.async(SupervisorJob()) {
      TinyVlm.load(application, ModelSource.asset("tiny-vlm-demo.gguf"))
    }

  private var answering: Job? = null

  fun show(photo: Uri) {
    this.photo = photo
    words = ""
  }

  /** Asks; the question before is given up. */
  fun ask(question: String) {
    val photo = photo ?: return
    val before = answering
    answering =
      viewModelScope.launch {
        before?.cancelAndJoin()
        words = ""
        busy = true
        try {
          val image = ImageInput.uri(getApplication(), photo)
          model.await().ask(image, question).collect { words += it }
        } catch (error: TinyVlmException) {
          words = error.message.orEmpty()
        } catch (stopped: CancellationException) {
          throw stopped
        } finally {
          busy = false
        }
      }
  }

  fun stop() {
    answering?.cancel()
  }

  @OptIn(ExperimentalCoroutinesApi::class)
  override fun onCleared() {
    model.cancel()
    if (model.isCompleted && model.getCompletionExceptionOrNull() == null)
      model.getCompleted().close()
  }
}
