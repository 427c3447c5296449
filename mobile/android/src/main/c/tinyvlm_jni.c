/* The natives of dev.tinyvlm.internal.Native over the C interface (cpp/api/tinyvlm.h): arguments
 * and results, nothing more. Handles are pointers as long; Kotlin (Handle.kt) sees to it that none
 * is used after it was freed. Texts are UTF-8 in byte arrays, because JNI's own strings are
 * modified UTF-8. A failure becomes a call of Native.fail(code, message), which throws; where Java
 * has thrown already (a callback did, or memory is short), that exception stays. */
#include <jni.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/tinyvlm.h"

static const char kNative[] = "dev/tinyvlm/internal/Native";

/* Set once by JNI_OnLoad. */
static jclass native_class;
static jmethodID native_fail;
static jmethodID progress_report;
static jmethodID rows_read;

static tvlm_model* ModelOf(jlong handle) { return (tvlm_model*)(intptr_t)handle; }
static tvlm_session* SessionOf(jlong handle) { return (tvlm_session*)(intptr_t)handle; }

static jbyteArray ToBytes(JNIEnv* env, const char* text, size_t length) {
  jbyteArray bytes = (*env)->NewByteArray(env, (jsize)length);
  if (bytes != NULL) (*env)->SetByteArrayRegion(env, bytes, 0, (jsize)length, (const jbyte*)text);
  return bytes;
}

/* Leaves an exception behind. */
static void Fail(JNIEnv* env, tvlm_code code, const char* message) {
  if ((*env)->ExceptionCheck(env)) return;
  jbyteArray bytes = ToBytes(env, message, strlen(message));
  if (bytes == NULL) return;
  (*env)->CallStaticVoidMethod(env, native_class, native_fail, (jint)code, bytes);
}

static void FailWith(JNIEnv* env, tvlm_error* error) {
  Fail(env, tvlm_error_code(error), tvlm_error_message(error));
  tvlm_error_free(error);
}

static void CheckModel(JNIEnv* env, tvlm_model* model, tvlm_code code) {
  if (code != TVLM_OK) Fail(env, code, tvlm_model_error(model));
}

static void CheckSession(JNIEnv* env, tvlm_session* session, tvlm_code code) {
  if (code != TVLM_OK) Fail(env, code, tvlm_session_error(session));
}

/* The bytes as a C string, to be freed with free(); NULL with an exception. */
static char* ToText(JNIEnv* env, jbyteArray bytes) {
  const jsize length = (*env)->GetArrayLength(env, bytes);
  char* text = malloc((size_t)length + 1);
  if (text == NULL) {
    Fail(env, TVLM_OUT_OF_MEMORY, "no memory for a text");
    return NULL;
  }
  (*env)->GetByteArrayRegion(env, bytes, 0, length, (jbyte*)text);
  text[length] = '\0';
  return text;
}

/* ---- functions without an object ------------------------------------------------------------- */

static jint AbiVersion(JNIEnv* env, jclass self) {
  (void)env, (void)self;
  return (jint)tvlm_abi_version();
}

static jbyteArray Version(JNIEnv* env, jclass self) {
  (void)self;
  return ToBytes(env, tvlm_version(), strlen(tvlm_version()));
}

static void SelfTest(JNIEnv* env, jclass self) {
  (void)self;
  tvlm_error* error = NULL;
  if (tvlm_self_test(&error) != TVLM_OK) FailWith(env, error);
}

static jlongArray EstimatePath(JNIEnv* env, jclass self, jbyteArray path_bytes,
                               jbyteArray model_bytes, jbyteArray session_bytes) {
  (void)self;
  char* path = ToText(env, path_bytes);
  char* model = path == NULL ? NULL : ToText(env, model_bytes);
  char* session = model == NULL ? NULL : ToText(env, session_bytes);
  jlongArray result = NULL;
  if (session != NULL) {
    tvlm_memory_estimate estimate;
    tvlm_error* error = NULL;
    if (tvlm_estimate_path(path, model, session, &estimate, &error) != TVLM_OK) {
      FailWith(env, error);
    } else {
      const jlong numbers[] = {(jlong)estimate.weight_bytes, (jlong)estimate.tokenizer_bytes,
                               (jlong)estimate.kv_cache_bytes, (jlong)estimate.activation_bytes};
      result = (*env)->NewLongArray(env, 4);
      if (result != NULL) (*env)->SetLongArrayRegion(env, result, 0, 4, numbers);
    }
  }
  free(path);
  free(model);
  free(session);
  return result;
}

/* ---- model ----------------------------------------------------------------------------------- */

/* A callback in Java, for the time of one call. */
typedef struct Callback {
  JNIEnv* env;
  jobject target; /* NULL: there is none */
  jbyteArray buffer;
  jsize buffer_bytes;
  size_t row_bytes;
} Callback;

static int ReportProgress(uint64_t loaded, uint64_t total, void* user_data) {
  Callback* callback = user_data;
  JNIEnv* env = callback->env;
  const jboolean more = (*env)->CallBooleanMethod(env, callback->target, progress_report,
                                                  (jlong)loaded, (jlong)total);
  return (*env)->ExceptionCheck(env) || !more;
}

static jlong ModelCreate(JNIEnv* env, jclass self, jbyteArray options_bytes) {
  (void)self;
  char* options = ToText(env, options_bytes);
  if (options == NULL) return 0;
  tvlm_error* error = NULL;
  tvlm_model* model = tvlm_model_create(options, &error);
  free(options);
  if (model == NULL) FailWith(env, error);
  return (jlong)(intptr_t)model;
}

static void ModelFree(JNIEnv* env, jclass self, jlong model) {
  (void)env, (void)self;
  tvlm_model_free(ModelOf(model));
}

static void ModelLoadPath(JNIEnv* env, jclass self, jlong handle, jbyteArray path_bytes,
                          jobject progress) {
  (void)self;
  tvlm_model* model = ModelOf(handle);
  char* path = ToText(env, path_bytes);
  if (path == NULL) return;
  Callback callback = {.env = env, .target = progress};
  CheckModel(env, model,
             tvlm_model_load_path(model, path, progress ? &ReportProgress : NULL, &callback));
  free(path);
}

static void ModelLoadDescriptor(JNIEnv* env, jclass self, jlong handle, jint descriptor,
                                jlong offset, jlong bytes, jobject progress) {
  (void)self;
  tvlm_model* model = ModelOf(handle);
  Callback callback = {.env = env, .target = progress};
  CheckModel(env, model,
             tvlm_model_load_descriptor(model, descriptor, (uint64_t)offset, (uint64_t)bytes,
                                        progress ? &ReportProgress : NULL, &callback));
}

static void ModelWrite(JNIEnv* env, jclass self, jlong handle, jbyteArray bytes, jint offset,
                       jint length) {
  (void)self;
  tvlm_model* model = ModelOf(handle);
  void* place = tvlm_model_reserve(model, (size_t)length);
  if (place == NULL) {
    Fail(env, tvlm_model_error_code(model), tvlm_model_error(model));
    return;
  }
  (*env)->GetByteArrayRegion(env, bytes, offset, length, place);
  if ((*env)->ExceptionCheck(env)) return;
  CheckModel(env, model, tvlm_model_commit(model, (size_t)length));
}

static void ModelEnd(JNIEnv* env, jclass self, jlong handle) {
  (void)self;
  CheckModel(env, ModelOf(handle), tvlm_model_end(ModelOf(handle)));
}

static jbyteArray ModelInfo(JNIEnv* env, jclass self, jlong handle) {
  (void)self;
  size_t length = 0;
  const char* info = tvlm_model_info(ModelOf(handle), &length);
  return ToBytes(env, info, length);
}

/* ---- session --------------------------------------------------------------------------------- */

static jlong SessionCreate(JNIEnv* env, jclass self, jlong model, jbyteArray options_bytes) {
  (void)self;
  char* options = ToText(env, options_bytes);
  if (options == NULL) return 0;
  tvlm_error* error = NULL;
  tvlm_session* session = tvlm_session_create(ModelOf(model), options, &error);
  free(options);
  if (session == NULL) FailWith(env, error);
  return (jlong)(intptr_t)session;
}

static void SessionFree(JNIEnv* env, jclass self, jlong session) {
  (void)env, (void)self;
  tvlm_session_free(SessionOf(session));
}

static jbyteArray SessionInfo(JNIEnv* env, jclass self, jlong handle) {
  (void)self;
  size_t length = 0;
  const char* info = tvlm_session_info(SessionOf(handle), &length);
  return ToBytes(env, info, length);
}

static jint SessionAddImage(JNIEnv* env, jclass self, jlong handle, jbyteArray file, jint flags) {
  (void)self;
  tvlm_session* session = SessionOf(handle);
  const jsize length = (*env)->GetArrayLength(env, file);
  jbyte* bytes = (*env)->GetByteArrayElements(env, file, NULL);
  if (bytes == NULL) return 0;
  uint32_t image = 0;
  const tvlm_code code =
      tvlm_session_add_image(session, bytes, (size_t)length, (uint32_t)flags, &image);
  (*env)->ReleaseByteArrayElements(env, file, bytes, JNI_ABORT);
  CheckSession(env, session, code);
  return (jint)image;
}

/* As many rows at a time as the buffer takes. */
static int ReadRows(uint64_t offset, void* to, size_t bytes, void* user_data) {
  Callback* callback = user_data;
  JNIEnv* env = callback->env;
  jbyte* place = to;
  while (bytes > 0) {
    const size_t most = (size_t)callback->buffer_bytes / callback->row_bytes;
    const size_t wanted = bytes / callback->row_bytes;
    const size_t rows = wanted < most ? wanted : most;
    (*env)->CallVoidMethod(env, callback->target, rows_read, (jint)(offset / callback->row_bytes),
                           (jint)rows, callback->buffer);
    if ((*env)->ExceptionCheck(env)) return 1;
    const size_t read = rows * callback->row_bytes;
    (*env)->GetByteArrayRegion(env, callback->buffer, 0, (jsize)read, place);
    place += read;
    offset += read;
    bytes -= read;
  }
  return 0;
}

static jint SessionAddPixels(JNIEnv* env, jclass self, jlong handle, jobject rows, jint width,
                             jint height, jbyteArray buffer, jint flags) {
  (void)self;
  tvlm_session* session = SessionOf(handle);
  Callback callback = {.env = env,
                       .target = rows,
                       .buffer = buffer,
                       .buffer_bytes = (*env)->GetArrayLength(env, buffer),
                       .row_bytes = 4 * (size_t)width};
  uint32_t image = 0;
  CheckSession(
      env, session,
      tvlm_session_add_pixels_from(session, &ReadRows, &callback, TVLM_PIXELS_RGBA, (size_t)width,
                                   (size_t)height, (uint32_t)flags, &image));
  return (jint)image;
}

static jbyteArray SessionImageInfo(JNIEnv* env, jclass self, jlong handle, jint image) {
  (void)self;
  size_t length = 0;
  const char* info = tvlm_session_image_info(SessionOf(handle), (uint32_t)image, &length);
  return ToBytes(env, info, length);
}

static void SessionDropImage(JNIEnv* env, jclass self, jlong handle, jint image) {
  (void)self;
  CheckSession(env, SessionOf(handle), tvlm_session_drop_image(SessionOf(handle), (uint32_t)image));
}

static void SessionTrim(JNIEnv* env, jclass self, jlong handle) {
  (void)self;
  CheckSession(env, SessionOf(handle), tvlm_session_trim(SessionOf(handle)));
}

static void SessionAsk(JNIEnv* env, jclass self, jlong handle, jbyteArray request_bytes) {
  (void)self;
  char* request = ToText(env, request_bytes);
  if (request == NULL) return;
  CheckSession(env, SessionOf(handle), tvlm_session_ask(SessionOf(handle), request));
  free(request);
}

static jint SessionAdvance(JNIEnv* env, jclass self, jlong handle, jdouble budget_ms) {
  (void)self;
  tvlm_run_state state = TVLM_DONE;
  CheckSession(env, SessionOf(handle), tvlm_session_advance(SessionOf(handle), budget_ms, &state));
  return (jint)state;
}

static jbyteArray SessionTakeText(JNIEnv* env, jclass self, jlong handle) {
  (void)self;
  size_t length = 0;
  const char* text = tvlm_session_take_text(SessionOf(handle), &length);
  return ToBytes(env, text, length);
}

static void SessionCancel(JNIEnv* env, jclass self, jlong handle) {
  (void)env, (void)self;
  tvlm_session_cancel(SessionOf(handle));
}

static jbyteArray SessionReport(JNIEnv* env, jclass self, jlong handle) {
  (void)self;
  size_t length = 0;
  const char* report = tvlm_session_report(SessionOf(handle), &length);
  return ToBytes(env, report, length);
}

/* ---- registration ---------------------------------------------------------------------------- */

/* JNINativeMethod's texts are not const in every jni.h, nor are functions pointers to void. */
#define NATIVE(name, signature, function) \
  {(char*)(name), (char*)(signature), (void*)(uintptr_t)(function)}

static const JNINativeMethod kNatives[] = {
    NATIVE("abiVersion", "()I", &AbiVersion),
    NATIVE("version", "()[B", &Version),
    NATIVE("selfTest", "()V", &SelfTest),
    NATIVE("estimatePath", "([B[B[B)[J", &EstimatePath),
    NATIVE("modelCreate", "([B)J", &ModelCreate),
    NATIVE("modelFree", "(J)V", &ModelFree),
    NATIVE("modelLoadPath", "(J[BLdev/tinyvlm/internal/NativeProgress;)V", &ModelLoadPath),
    NATIVE("modelLoadDescriptor", "(JIJJLdev/tinyvlm/internal/NativeProgress;)V",
           &ModelLoadDescriptor),
    NATIVE("modelWrite", "(J[BII)V", &ModelWrite),
    NATIVE("modelEnd", "(J)V", &ModelEnd),
    NATIVE("modelInfo", "(J)[B", &ModelInfo),
    NATIVE("sessionCreate", "(J[B)J", &SessionCreate),
    NATIVE("sessionFree", "(J)V", &SessionFree),
    NATIVE("sessionInfo", "(J)[B", &SessionInfo),
    NATIVE("sessionAddImage", "(J[BI)I", &SessionAddImage),
    NATIVE("sessionAddPixels", "(JLdev/tinyvlm/internal/NativeRows;II[BI)I", &SessionAddPixels),
    NATIVE("sessionImageInfo", "(JI)[B", &SessionImageInfo),
    NATIVE("sessionDropImage", "(JI)V", &SessionDropImage),
    NATIVE("sessionTrim", "(J)V", &SessionTrim),
    NATIVE("sessionAsk", "(J[B)V", &SessionAsk),
    NATIVE("sessionAdvance", "(JD)I", &SessionAdvance),
    NATIVE("sessionTakeText", "(J)[B", &SessionTakeText),
    NATIVE("sessionCancel", "(J)V", &SessionCancel),
    NATIVE("sessionReport", "(J)[B", &SessionReport),
};

/* The id of an interface's only method; NULL with an exception. */
static jmethodID MethodOf(JNIEnv* env, const char* interface, const char* name,
                          const char* signature) {
  jclass found = (*env)->FindClass(env, interface);
  return found == NULL ? NULL : (*env)->GetMethodID(env, found, name, signature);
}

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* machine, void* reserved) {
  (void)reserved;
  void* found = NULL;
  if ((*machine)->GetEnv(machine, &found, JNI_VERSION_1_6) != JNI_OK) return JNI_ERR;
  JNIEnv* env = found;
  jclass local = (*env)->FindClass(env, kNative);
  if (local == NULL) return JNI_ERR;
  native_class = (*env)->NewGlobalRef(env, local);
  native_fail = (*env)->GetStaticMethodID(env, local, "fail", "(I[B)V");
  if (native_class == NULL || native_fail == NULL) return JNI_ERR;
  progress_report = MethodOf(env, "dev/tinyvlm/internal/NativeProgress", "report", "(JJ)Z");
  rows_read = MethodOf(env, "dev/tinyvlm/internal/NativeRows", "read", "(II[B)V");
  if (progress_report == NULL || rows_read == NULL) return JNI_ERR;
  const jint count = (jint)(sizeof(kNatives) / sizeof(kNatives[0]));
  if ((*env)->RegisterNatives(env, local, kNatives, count) != JNI_OK) return JNI_ERR;
  return JNI_VERSION_1_6;
}
