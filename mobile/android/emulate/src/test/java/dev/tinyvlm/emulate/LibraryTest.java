package dev.tinyvlm.emulate;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import com.github.unidbg.AndroidEmulator;
import com.github.unidbg.Module;
import com.github.unidbg.linux.android.AndroidResolver;
import com.github.unidbg.memory.MemoryBlock;
import com.github.unidbg.pointer.UnidbgPointer;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.After;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/**
 * Calls the C interface of the library for arm64 (cpp/api/tinyvlm.h), which lies in emulated memory
 * beside Android 6's own libc, libm, libdl and liblog. One thread: the emulator's are cooperative.
 */
public class LibraryTest {
  @Rule public final TemporaryFolder disk = new TemporaryFolder();

  private final Path repository = Path.of(System.getProperty("tinyvlm.repository"));
  private AndroidEmulator emulator;
  private Module library;

  @Before
  public void load() throws IOException {
    emulator = SystemCalls.emulator(disk.getRoot());
    emulator.getSyscallHandler().setEnableThreadDispatcher(true);
    emulator.getMemory().setLibraryResolver(new AndroidResolver(23));
    File file = new File(System.getProperty("tinyvlm.library"));
    library = emulator.loadLibrary(file, true);
  }

  @After
  public void close() throws IOException {
    emulator.close();
  }

  private long call(String function, Object... arguments) {
    return library.callFunction(emulator, function, arguments).longValue();
  }

  private String text(long address) {
    return UnidbgPointer.pointer(emulator, address).getString(0);
  }

  private MemoryBlock memory(byte[] bytes) {
    MemoryBlock block = emulator.getMemory().malloc(bytes.length, true);
    block.getPointer().write(0, bytes, 0, bytes.length);
    return block;
  }

  private int code(long result) {
    return (int) result; // a tvlm_code is an int; the upper half of the register is undefined
  }

  @Test
  public void namesItsVersion() throws IOException {
    JSONObject manifest = JSON.parseObject(Files.readString(repository.resolve("package.json")));
    assertEquals(manifest.getString("version"), text(call("tvlm_version")));
    assertEquals(1, code(call("tvlm_abi_version")));
  }

  @Test
  public void passesItsSelfTest() {
    MemoryBlock error = memory(new byte[8]);
    int result = code(call("tvlm_self_test", error.getPointer()));
    long found = error.getPointer().getLong(0);
    assertEquals(found == 0 ? "" : text(call("tvlm_error_message", found)), 0, result);
  }

  @Test
  public void tellsWhatIsWrongWithAPath() {
    long model = call("tvlm_model_create", "{}", 0L);
    assertEquals(2, code(call("tvlm_model_load_path", model, "/data/missing.gguf", 0L, 0L)));
    String message = text(call("tvlm_model_error", model));
    assertEquals(message, true, message.contains("/data/missing.gguf"));
    call("tvlm_model_free", model);
  }

  @Test
  public void answersAboutTheSampleImagesAsOnOtherMachines() throws IOException {
    long model = call("tvlm_model_create", "{\"threads\":1}", 0L);
    assertNotEquals(0, model);
    byte[] file = Files.readAllBytes(repository.resolve("model/tiny-vlm-demo.gguf"));
    int loaded =
        code(
            call(
                "tvlm_model_load_memory",
                model,
                memory(file).getPointer(),
                (long) file.length,
                0L,
                0L));
    assertEquals(text(call("tvlm_model_error", model)), 0, loaded);

    Path samples = repository.resolve("examples-web/samples");
    JSONArray cases = JSON.parseArray(Files.readString(samples.resolve("samples.json")));
    assertNotEquals(0, cases.size());
    for (int i = 0; i < cases.size(); ++i) {
      JSONObject sample = cases.getJSONObject(i);
      JSONObject first = sample.getJSONArray("questions").getJSONObject(0);
      byte[] image = Files.readAllBytes(samples.resolve(sample.getString("image")));
      assertEquals(
          sample.getString("image"),
          first.getString("answer"),
          answer(model, image, first.getString("question")));
    }
    call("tvlm_model_free", model);
  }

  @Test
  public void answersFromAFileThatIsReadByItsPath() throws IOException {
    Path file = disk.getRoot().toPath().resolve("data/model.gguf");
    Files.createDirectories(file.getParent());
    Files.copy(repository.resolve("model/tiny-vlm-demo.gguf"), file);
    long model = call("tvlm_model_create", "{\"threads\":1}", 0L);
    int loaded = code(call("tvlm_model_load_path", model, "/data/model.gguf", 0L, 0L));
    assertEquals(text(call("tvlm_model_error", model)), 0, loaded);
    Path samples = repository.resolve("examples-web/samples");
    JSONObject sample =
        JSON.parseArray(Files.readString(samples.resolve("samples.json"))).getJSONObject(0);
    JSONObject first = sample.getJSONArray("questions").getJSONObject(0);
    byte[] image = Files.readAllBytes(samples.resolve(sample.getString("image")));
    assertEquals(first.getString("answer"), answer(model, image, first.getString("question")));
    call("tvlm_model_free", model);
  }

  private String answer(long model, byte[] image, String question) {
    long session = call("tvlm_session_create", model, "{}", 0L);
    assertNotEquals(0, session);
    MemoryBlock file = memory(image);
    MemoryBlock number = memory(new byte[4]);
    int added =
        code(
            call(
                "tvlm_session_add_image",
                session,
                file.getPointer(),
                image.length,
                0,
                number.getPointer()));
    assertEquals(text(call("tvlm_session_error", session)), 0, added);
    JSONObject message = new JSONObject();
    message.put("role", "user");
    message.put("content", question);
    message.put("images", new int[] {number.getPointer().getInt(0)});
    JSONObject request = new JSONObject();
    request.put("messages", new Object[] {message});
    request.put("maxTokens", 64);
    int asked = code(call("tvlm_session_ask", session, request.toJSONString()));
    assertEquals(text(call("tvlm_session_error", session)), 0, asked);
    int ran = code(call("tvlm_session_run", session, 0L, 0L));
    assertEquals(text(call("tvlm_session_error", session)), 0, ran);
    MemoryBlock length = memory(new byte[8]);
    long report = call("tvlm_session_report", session, length.getPointer());
    byte[] bytes =
        UnidbgPointer.pointer(emulator, report)
            .getByteArray(0, (int) length.getPointer().getLong(0));
    call("tvlm_session_free", session);
    return JSON.parseObject(new String(bytes, StandardCharsets.UTF_8)).getString("text");
  }
}
