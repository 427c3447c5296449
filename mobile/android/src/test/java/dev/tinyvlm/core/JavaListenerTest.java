package dev.tinyvlm.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import dev.tinyvlm.Answer;
import dev.tinyvlm.AnswerListener;
import dev.tinyvlm.AskOptions;
import dev.tinyvlm.ErrorCode;
import dev.tinyvlm.FixturesKt;
import dev.tinyvlm.ImageInput;
import dev.tinyvlm.LoadListener;
import dev.tinyvlm.LoadOptions;
import dev.tinyvlm.ModelSource;
import dev.tinyvlm.Request;
import dev.tinyvlm.ResponseFormat;
import dev.tinyvlm.TinyVlm;
import dev.tinyvlm.TinyVlmException;
import java.io.File;
import java.nio.file.Files;
import java.util.Collections;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.Test;

/** The API as Java sees it. */
public class JavaListenerTest {
  private final ExecutorService main =
      Executors.newSingleThreadExecutor(work -> new Thread(work, "main"));

  private CompletableFuture<TinyVlm> load(ModelSource source) {
    CompletableFuture<TinyVlm> loaded = new CompletableFuture<>();
    LoadOptions options = new LoadOptions.Builder().threads(1).build();
    TinyVlm.loadAsync(source, options, main, new LoadListener() {
      @Override
      public void onComplete(TinyVlm model) {
        loaded.complete(model);
      }

      @Override
      public void onError(TinyVlmException error) {
        loaded.completeExceptionally(error);
      }
    });
    return loaded;
  }

  private static final class Listener implements AnswerListener {
    final StringBuilder text = new StringBuilder();
    final CompletableFuture<Answer> done = new CompletableFuture<>();
    final CompletableFuture<ErrorCode> failed = new CompletableFuture<>();

    @Override
    public void onText(String piece) {
      assertTrue(Thread.currentThread().getName().startsWith("main"));
      text.append(piece);
    }

    @Override
    public void onComplete(Answer answer) {
      done.complete(answer);
    }

    @Override
    public void onError(TinyVlmException error) {
      failed.complete(error.getCode());
    }
  }

  @Test
  public void asksAndCancels() throws Exception {
    File png = FixturesKt.getSamples().get(0).getPng();
    Map.Entry<String, String> first =
        FixturesKt.getSamples().get(0).getAnswers().entrySet().iterator().next();
    ImageInput image = ImageInput.encoded(Files.readAllBytes(png.toPath()));
    File file = FixturesKt.getDemoModel();
    try (TinyVlm model = load(ModelSource.file(file)).get(60, TimeUnit.SECONDS)) {
      Listener listener = new Listener();
      model.askAsync(
          Collections.singletonList(image), first.getKey(), new AskOptions(), main, listener);
      assertEquals(first.getValue(), listener.done.get(60, TimeUnit.SECONDS).getText());
      assertEquals(first.getValue(), listener.text.toString());

      Listener cancelled = new Listener();
      AskOptions endless = new AskOptions.Builder()
          .maxTokens(2000)
          .responseFormat(ResponseFormat.pattern("(ab){900}"))
          .build();
      Request request =
          model.askAsync(Collections.emptyList(), "Tell", endless, main, cancelled);
      request.cancel();
      assertEquals(ErrorCode.ABORTED, cancelled.failed.get(60, TimeUnit.SECONDS));
    }
  }

  @Test
  public void tellsErrors() throws Exception {
    CompletableFuture<TinyVlm> loaded = load(ModelSource.file(new File("nowhere")));
    TinyVlmException error =
        (TinyVlmException) loaded.handle((model, failure) -> failure).get(60, TimeUnit.SECONDS);
    assertEquals(ErrorCode.NOT_FOUND, error.getCode());
    assertEquals("not_found", error.getCode().getWord());
  }
}
