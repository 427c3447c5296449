package dev.tinyvlm.example

import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.ImageDecoder
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.provider.MediaStore
import androidx.activity.ComponentActivity
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.compose.setContent
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.activity.result.contract.ActivityResultContracts.TakePicture
import androidx.activity.viewModels
import androidx.compose.foundation.Image
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.produceState
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.unit.dp
import androidx.core.content.FileProvider
import java.io.File
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** A photo, a question, words. */
class MainActivity : ComponentActivity() {
  private val photographer: Photographer by viewModels()

  override fun onCreate(savedInstanceState: Bundle?) {
    super.onCreate(savedInstanceState)
    if (savedInstanceState == null) takeShared(intent)
    setContent { MaterialTheme { Screen(photographer) { shareAnswer(photographer.words) } } }
  }

  override fun onNewIntent(intent: Intent) {
    super.onNewIntent(intent)
    takeShared(intent)
  }

  // From another app's share sheet.
  private fun takeShared(intent: Intent) {
    if (intent.action != Intent.ACTION_SEND) return
    @Suppress("DEPRECATION") // the typed one is of API 33
    val photo = intent.getParcelableExtra<Uri>(Intent.EXTRA_STREAM) ?: return
    photographer.show(photo)
  }

  private fun shareAnswer(words: String) {
    val send = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, words)
    startActivity(Intent.createChooser(send, null))
  }
}

@Composable
private fun Screen(photographer: Photographer, onShare: () -> Unit) {
  val context = LocalContext.current
  var question by rememberSaveable { mutableStateOf("Describe the image in detail.") }
  var taken by rememberSaveable { mutableStateOf<Uri?>(null) }
  val camera =
    rememberLauncherForActivityResult(TakePicture()) { if (it) taken?.let(photographer::show) }
  val hasCamera = remember {
    context.packageManager.hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY)
  }
  val picker = rememberLauncherForActivityResult(PickVisualMedia()) { it?.let(photographer::show) }
  Column(
    Modifier.fillMaxSize()
      .safeDrawingPadding()
      .padding(16.dp)
      .verticalScroll(rememberScrollState()),
    Arrangement.spacedBy(12.dp),
  ) {
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
      Button(
        {
          val place = placeForPhoto(context, photographer.photo)
          taken = place
          camera.launch(place)
        },
        enabled = hasCamera,
      ) {
        Text("Camera")
      }
      Button({ picker.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) }) {
        Text("Photos")
      }
    }
    photographer.photo?.let { Photo(it) }
    OutlinedTextField(
      question,
      { question = it },
      Modifier.fillMaxWidth(),
      label = { Text("Question") },
    )
    Row(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
      val ready = photographer.photo != null && question.isNotBlank()
      Button({ photographer.ask(question) }, enabled = ready) { Text("Ask") }
      if (photographer.busy) TextButton(photographer::stop) { Text("Stop") }
      else if (photographer.words.isNotEmpty()) TextButton(onShare) { Text("Share") }
    }
    Text(photographer.words, style = MaterialTheme.typography.bodyLarge)
  }
}

// A new address for each photo: what shows it goes by that. Files but the one shown are deleted.
private fun placeForPhoto(context: Context, shown: Uri?): Uri {
  val folder = File(context.cacheDir, "photos").apply { mkdirs() }
  for (old in folder.listFiles().orEmpty()) if (old.name != shown?.lastPathSegment) old.delete()
  val file = File(folder, "${System.currentTimeMillis()}.jpg")
  return FileProvider.getUriForFile(context, "dev.tinyvlm.example.photos", file)
}

@Composable
private fun Photo(photo: Uri) {
  val context = LocalContext.current
  val shown by
    produceState<ImageBitmap?>(null, photo) {
      value =
        withContext(Dispatchers.IO) {
          val resolver = context.contentResolver
          runCatching {
              val bitmap =
                if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P)
                  ImageDecoder.decodeBitmap(ImageDecoder.createSource(resolver, photo)) {
                    decoder,
                    info,
                    _ ->
                    val side = maxOf(info.size.width, info.size.height)
                    decoder.setTargetSampleSize(maxOf(1, side / 1200))
                  }
                else @Suppress("DEPRECATION") MediaStore.Images.Media.getBitmap(resolver, photo)
              bitmap.asImageBitmap()
            }
            .getOrNull()
        }
    }
  shown?.let { Image(it, "The photo", Modifier.fillMaxWidth().height(280.dp)) }
}
