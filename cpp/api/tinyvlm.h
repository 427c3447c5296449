/* Tiny-VLM's C interface, ABI version 1: a vision-language model that runs in the caller's process.
 * Plain C99, for C, C++, Swift, Kotlin (JNI), Rust, Python and the WebAssembly bindings.
 * docs/c-api.md is the guide; examples/c/ask.c is a whole program.
 *
 *     tvlm_model* model = tvlm_model_create("{\"threads\":4}", NULL);
 *     tvlm_model_load_path(model, "model.gguf", NULL, NULL);
 *     tvlm_session* session = tvlm_session_create(model, "{}", NULL);
 *     tvlm_session_add_image(session, png, png_bytes, 0, &image);
 *     tvlm_session_ask(session, "{\"messages\":[{\"role\":\"user\",\"content\":\"What is this?\","
 *                               "\"images\":[1]}]}");
 *     tvlm_session_run(session, on_text, NULL);
 *
 * Errors. A function that can fail returns a tvlm_code (TVLM_OK is 0) or NULL. The sentence that
 * goes with it belongs to the object that the function was called on: tvlm_model_error,
 * tvlm_session_error. Functions that create an object, and functions without one, hand out a
 * tvlm_error instead. A NULL object is TVLM_INVALID_ARGUMENT.
 *
 * Texts are UTF-8, never NULL, followed by a zero byte; where a text may itself contain U+0000 its
 * length is given too. Each belongs to the object that it was asked of and says until when it is
 * valid. Options, requests and reports are JSON objects: an unknown key or a value of the wrong
 * type is an error, a missing key has its default. docs/c-api.md lists the options.
 *
 * Ownership. An object has one owner, who frees it once; using it afterwards is undefined, as with
 * free(). A model may be freed before its sessions: what they share lives until the last is freed.
 *
 * Threads. The library has no global state: any thread may create objects, and objects of different
 * models never disturb each other. One object is used by one thread at a time. A model and its
 * sessions are different objects: each may be used by another thread at the same time; what they
 * compute takes turns, a bounded step at a time. Two functions may be called from any thread at any
 * time while their object lives: tvlm_session_cancel, and tvlm_session_create on one model. */
#ifndef TINYVLM_API_TINYVLM_H_
#define TINYVLM_API_TINYVLM_H_

#include <stddef.h>
#include <stdint.h>

/* Marks what the shared library exports. Define TVLM_STATIC when linking the static library on
 * Windows. */
#if defined(_WIN32) && !defined(TVLM_STATIC)
#ifdef TVLM_BUILDING_SHARED
#define TVLM_EXPORT __declspec(dllexport)
#else
#define TVLM_EXPORT __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define TVLM_EXPORT __attribute__((visibility("default")))
#else
#define TVLM_EXPORT
#endif

/* Enumerations are as wide as an int in C and C++ alike, and any number may be passed: one that
 * this header does not know is answered, never undefined. */
#ifdef __cplusplus
#define TVLM_ENUM_INT : int
#else
#define TVLM_ENUM_INT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version --------------------------------------------------------------------------------- */

/* The version of this interface. It changes only when a program that was compiled against the
 * older header would no longer run; functions, enumerators and JSON keys may be added without. */
#define TVLM_ABI_VERSION 1

/* The TVLM_ABI_VERSION that the library was built with: compare it with the header's where the
 * library is found at run time. Any thread. */
TVLM_EXPORT uint32_t tvlm_abi_version(void);

/* The library's version, such as "0.1.0". Valid for ever. Any thread. */
TVLM_EXPORT const char* tvlm_version(void);

/* ---- errors ---------------------------------------------------------------------------------- */

/* How a call ended. Numbers are never reused; docs/errors.md says what to do about each. */
typedef enum tvlm_code TVLM_ENUM_INT {
  TVLM_OK = 0,               /* it did what it is for */
  TVLM_INVALID_ARGUMENT = 1, /* the caller passed something that cannot be */
  TVLM_NOT_FOUND = 2,        /* a file, key or tensor that must be there is not */
  TVLM_INVALID_FILE = 3,     /* damaged, truncated or not of the format that it claims */
  TVLM_UNSUPPORTED = 4,      /* well-formed, but something that this engine does not do */
  TVLM_OUT_OF_MEMORY = 5,    /* memory for a model, a context or an image is not to be had */
  TVLM_INVALID_IMAGE = 6,    /* an image that cannot be decoded */
  TVLM_CONTEXT_FULL = 7,     /* prompt and answer do not fit in the session's context */
  TVLM_IO = 8,               /* the operating system could not read a file */
  TVLM_NOT_READY = 9,        /* called in the wrong order */
  TVLM_INTERNAL = 10,        /* a mistake of the engine */
  TVLM_ABORTED = 13          /* the caller's callback ended the work */
} tvlm_code;

/* The word for a code that users see: "ok", "invalid_argument", ... A number that is no code gives
 * "internal". Valid for ever. Any thread. */
TVLM_EXPORT const char* tvlm_code_name(tvlm_code code);

/* Why a function without an object to ask failed. Owned by the caller: free with tvlm_error_free.
 * Where a parameter `error` is NULL, no error is handed out; otherwise *error is set to an error
 * or, after success, to NULL. */
typedef struct tvlm_error tvlm_error;

/* The code; TVLM_OK for NULL. */
TVLM_EXPORT tvlm_code tvlm_error_code(const tvlm_error* error);

/* One sentence: what was wanted, what was found, where. "" for NULL. Valid until the error is
 * freed. */
TVLM_EXPORT const char* tvlm_error_message(const tvlm_error* error);

/* Frees an error; NULL is allowed. */
TVLM_EXPORT void tvlm_error_free(tvlm_error* error);

/* Computes small matrix products of every kind with known results, in a few milliseconds. An error
 * (TVLM_INTERNAL) where this build computes wrongly on this machine. Any thread. */
TVLM_EXPORT tvlm_code tvlm_self_test(tvlm_error** error);

/* ---- model ----------------------------------------------------------------------------------- */

/* Weights, tokenizer and threads of one model file. Created empty, loaded once by one of the
 * functions below; after that it does not change and any number of sessions share it. A model whose
 * loading failed stays failed: free it. */
typedef struct tvlm_model tvlm_model;

/* An empty model. `options`: {"threads": 1}, 1..64: threads that compute, the caller's included.
 * NULL where the options are wrong. Any thread. */
TVLM_EXPORT tvlm_model* tvlm_model_create(const char* options, tvlm_error** error);

/* Frees a model; NULL is allowed. Memory that its sessions use lives until they are freed. */
TVLM_EXPORT void tvlm_model_free(tvlm_model* model);

/* Why the last call on this model that failed did so: one sentence, or "". Valid until the next
 * call on the model. */
TVLM_EXPORT const char* tvlm_model_error(const tvlm_model* model);

/* The code of that call, or TVLM_OK. */
TVLM_EXPORT tvlm_code tvlm_model_error_code(const tvlm_model* model);

/* Told from time to time how many bytes of the file have been taken in and how many it has; the
 * last call has both equal. Called on the loading thread. Returning anything but 0 ends the loading
 * with TVLM_ABORTED. It must not call functions on the model being loaded. */
typedef int (*tvlm_progress)(uint64_t loaded_bytes, uint64_t total_bytes, void* user_data);

/* Loads the file at `path` (UTF-8); returns when it is whole. The file is mapped where it can be
 * used as it is (docs/c-api.md#loading), else read. A mapped file must not be changed or truncated
 * while the model or one of its sessions lives. `progress` may be NULL. */
TVLM_EXPORT tvlm_code tvlm_model_load_path(tvlm_model* model, const char* path,
                                           tvlm_progress progress, void* user_data);

/* Likewise from an open file: `bytes` bytes from `offset` on (an Android asset, a part of a larger
 * file). `offset` need not be aligned. The descriptor stays the caller's, is read without moving
 * its position, and may be closed when this returns. */
TVLM_EXPORT tvlm_code tvlm_model_load_descriptor(tvlm_model* model, int descriptor, uint64_t offset,
                                                 uint64_t bytes, tvlm_progress progress,
                                                 void* user_data);

/* Likewise from memory. The bytes stay the caller's and must not change or go away while the model
 * or one of its sessions lives: a file that can be used as it is is not copied. */
TVLM_EXPORT tvlm_code tvlm_model_load_memory(tvlm_model* model, const void* file, size_t bytes,
                                             tvlm_progress progress, void* user_data);

/* Chunk by chunk, for a file that arrives over a network: the place where its next `bytes` bytes
 * (at least 1) are to be written, which is where they stay. NULL where that fails: see
 * tvlm_model_error_code. Valid until the next call on the model; but bytes of the data section that
 * were written there and not committed yet are still there when more is reserved, so that several
 * chunks can be read before the first one's hash is known. */
TVLM_EXPORT void* tvlm_model_reserve(tvlm_model* model, size_t bytes);

/* The first `bytes` bytes of the reserved place have been written. Sessions may be created as soon
 * as the header is whole (TVLM_LOAD_DATA); they wait for weights that are still to come. */
TVLM_EXPORT tvlm_code tvlm_model_commit(tvlm_model* model, size_t bytes);

/* Likewise where the caller has compared the hashes himself (tvlm_model_info tells them), which are
 * then not computed again; or kept the bytes where a change would be noticed. They are the whole
 * header, as the first bytes of the file; or whole chunks of the data section, of which the last
 * may be short, behind bytes that are verified. TVLM_INVALID_ARGUMENT where they are not. */
TVLM_EXPORT tvlm_code tvlm_model_commit_verified(tvlm_model* model, size_t bytes);

/* No more bytes will come: TVLM_INVALID_FILE where the file is truncated. */
TVLM_EXPORT tvlm_code tvlm_model_end(tvlm_model* model);

/* How far a model is loaded. */
typedef enum tvlm_load_state TVLM_ENUM_INT {
  TVLM_LOAD_HEADER = 0,  /* nothing is known yet */
  TVLM_LOAD_DATA = 1,    /* the header is whole; weights are arriving */
  TVLM_LOAD_COMPLETE = 2 /* all of the file is there */
} tvlm_load_state;

/* How far this model is loaded; TVLM_LOAD_HEADER for NULL. */
TVLM_EXPORT tvlm_load_state tvlm_model_state(const tvlm_model* model);

/* What is known of the model, as JSON: {"state" (a tvlm_load_state), "fileBytes" (0 while unknown),
 * "receivedBytes"} and, once the header is whole, {"threads", "backend" (what computes: "cpu"),
 * "name", "architecture", "imageSize" (edge length in pixels of the images that the model takes),
 * "imageTokens" (tokens that one image becomes; both 0 for a model that reads text only),
 * "hasTokenizer", "maxContext" (tokens), "vocabulary" (tokens), "warnings" (sentences for people
 * about what the file does not say and was assumed; usually none), "headerBytes" (before the data
 * section)} and, where the file has hashes, {"chunkBytes" (of the data section, under each hash),
 * "chunkSha256" (64 hexadecimal digits a chunk)}. `length`, where it is not NULL, gets its bytes.
 * Valid until the next tvlm_model_info on the model. */
TVLM_EXPORT const char* tvlm_model_info(tvlm_model* model, size_t* length);

/* ---- memory ---------------------------------------------------------------------------------- */

/* What a model and one session take. Exact for the buffers that the engine allocates in one piece,
 * which are nearly all; not counted are images that a session holds (3 bytes a pixel at the
 * session's image size, and the embeddings that they become), threads' stacks and what the
 * allocator adds (below 1 MB together for the models that exist). */
typedef struct tvlm_memory_estimate {
  uint64_t header_bytes;     /* of the file before its weights; with TVLM_NOT_READY: bytes wanted */
  uint64_t weight_bytes;     /* the weights, in memory or mapped */
  uint64_t tokenizer_bytes;  /* vocabulary and merges */
  uint64_t kv_cache_bytes;   /* keys and values of a session's whole context */
  uint64_t activation_bytes; /* the rest of a session */
} tvlm_memory_estimate;

/* Estimates from the file at `path`, of which only the header is read. `model_options` and
 * `session_options` as for tvlm_model_create and tvlm_session_create. Any thread. */
TVLM_EXPORT tvlm_code tvlm_estimate_path(const char* path, const char* model_options,
                                         const char* session_options,
                                         tvlm_memory_estimate* estimate, tvlm_error** error);

/* Estimates from the first `bytes` bytes of a file, before the rest is fetched. TVLM_NOT_READY
 * where the header is longer: come back with at least estimate->header_bytes bytes. Any thread. */
TVLM_EXPORT tvlm_code tvlm_estimate_header(const void* prefix, size_t bytes,
                                           const char* model_options, const char* session_options,
                                           tvlm_memory_estimate* estimate, tvlm_error** error);

/* ---- session --------------------------------------------------------------------------------- */

/* One conversation with a model: KV cache, activations, images, the answer. */
typedef struct tvlm_session tvlm_session;

/* A session on a model whose header is whole. `options`: those of a session in docs/c-api.md, such
 * as {"context": 2048} (tokens of prompt and answer together). All its memory is allocated here and
 * when images are added; tvlm_session_trim gives most of it back for a while. NULL where that
 * fails. Any thread; on one model also from several threads at once. */
TVLM_EXPORT tvlm_session* tvlm_session_create(tvlm_model* model, const char* options,
                                              tvlm_error** error);

/* Frees a session; NULL is allowed. Not while another thread is in a call on it. */
TVLM_EXPORT void tvlm_session_free(tvlm_session* session);

/* Why the last call on this session that failed did so: one sentence, or "". Valid until the next
 * call on the session. */
TVLM_EXPORT const char* tvlm_session_error(const tvlm_session* session);

/* The code of that call, or TVLM_OK. */
TVLM_EXPORT tvlm_code tvlm_session_error_code(const tvlm_session* session);

/* {"imageSize", "imageTokens", "context"} of the session as JSON, as in tvlm_model_info. Valid
 * until the session is freed. */
TVLM_EXPORT const char* tvlm_session_info(tvlm_session* session, size_t* length);

/* Flags of images. */
enum {
  /* As the reference implementation does: alpha is dropped instead of laid over white, EXIF
   * orientation is ignored. */
  TVLM_IMAGE_EXACT = 1,
  /* A file with a defect that image viewers draw over (a missing end, restart markers out of step,
   * a damaged chunk that is not needed) is refused instead of told by tvlm_session_image_info. */
  TVLM_IMAGE_STRICT = 2
};

/* Adds an image from the bytes of a PNG or JPEG file, which may be freed afterwards. `flags`: 0 or
 * flags of images, added up. *image gets its number in this session, 1 or more. TVLM_INVALID_IMAGE
 * where it cannot be decoded, TVLM_UNSUPPORTED where the model reads text only. */
TVLM_EXPORT tvlm_code tvlm_session_add_image(tvlm_session* session, const void* file, size_t bytes,
                                             uint32_t flags, uint32_t* image);

/* Reads an image piece by piece: writes its bytes offset..offset+bytes to `to`. Called on the
 * calling thread, while the function that it is given to runs. Returning anything but 0 ends that
 * function with TVLM_ABORTED. It must not call functions on the session. */
typedef int (*tvlm_read)(uint64_t offset, void* to, size_t bytes, void* user_data);

/* The same from a file of `bytes` bytes that is not in memory as a whole: `read` is asked for less
 * than a megabyte at a time, mostly front to back, for some parts again. Whatever its number of
 * pixels, an image takes a few megabytes while it is added; long sides (from about 20,000 pixels
 * on) some more. */
TVLM_EXPORT tvlm_code tvlm_session_add_image_from(tvlm_session* session, tvlm_read read,
                                                  void* user_data, size_t bytes, uint32_t flags,
                                                  uint32_t* image);

/* {"warnings"} of an image of the session as JSON: sentences for people about defects of its file
 * that were drawn over; mostly none. `length`, where it is not NULL, gets its bytes. Valid until
 * the next call on the session. */
TVLM_EXPORT const char* tvlm_session_image_info(tvlm_session* session, uint32_t image,
                                                size_t* length);

/* Looks at an image file of any format without decoding or adding it, for a caller who has a
 * decoder of his own. JSON: {"format": "PNG", "JPEG", "WebP", "HEIC", "SVG" ... or "" where it is
 * not recognised, "whole": false where image data of a JPEG is missing or out of step, so that each
 * decoder draws something else and the file itself had better be added, "warnings": those that need
 * no decoding}. NULL, with TVLM_INVALID_IMAGE, for a PNG whose chunks are damaged and for an empty
 * file: see tvlm_session_error. `read`, `bytes` and `flags` as above; `length`, where it is not
 * NULL, gets the bytes of the text, which is valid until the next call on the session. */
TVLM_EXPORT const char* tvlm_session_inspect_image_from(tvlm_session* session, tvlm_read read,
                                                        void* user_data, size_t bytes,
                                                        uint32_t flags, size_t* length);

/* Order of the 8-bit channels of a pixel. */
typedef enum tvlm_pixel_format TVLM_ENUM_INT {
  TVLM_PIXELS_RGB = 3, /* 3 bytes a pixel */
  TVLM_PIXELS_RGBA = 4 /* 4 bytes a pixel, alpha not premultiplied */
} tvlm_pixel_format;

/* Adds an image from `height` rows of `width` pixels, the top row first. `bytes`: of all of them;
 * fewer than they take is an error. `stride`: bytes from one row to the next; 0: rows without gaps,
 * and `bytes` must be just what they take. The pixels may be freed afterwards. Else as
 * tvlm_session_add_image. */
TVLM_EXPORT tvlm_code tvlm_session_add_pixels(tvlm_session* session, const void* pixels,
                                              size_t bytes, tvlm_pixel_format format, size_t width,
                                              size_t height, size_t stride, uint32_t flags,
                                              uint32_t* image);

/* The same from pixels that are not in memory as a whole: of the `height` rows of `width` pixels
 * without gaps `read` is asked for whole rows, each once, the top one first. */
TVLM_EXPORT tvlm_code tvlm_session_add_pixels_from(tvlm_session* session, tvlm_read read,
                                                   void* user_data, tvlm_pixel_format format,
                                                   size_t width, size_t height, uint32_t flags,
                                                   uint32_t* image);

/* Forgets an image: requests cannot name it any more. An answer that is under way still has it.
 * Nothing happens where there is none of that number. */
TVLM_EXPORT tvlm_code tvlm_session_drop_image(tvlm_session* session, uint32_t image);

/* Gives back the memory of what can be computed again: KV cache, activations, what images were
 * encoded to. For a session that waits while the system is short of memory. Images stay, and an
 * answer or embedding that is complete; one that is under way is forgotten. The next
 * tvlm_session_ask or tvlm_session_embed takes the memory again, may fail for want of it with
 * TVLM_OUT_OF_MEMORY, and computes the whole prompt. */
TVLM_EXPORT tvlm_code tvlm_session_trim(tvlm_session* session);

/* Starts an answer; one that is under way is forgotten. `request`: {"messages": [{"role": "system"
 * | "user" | "assistant", "content": text, "images": [number, ...]}, ...]} and the options of an
 * answer in docs/c-api.md, such as "maxTokens". Messages are a whole conversation: a system message
 * or none, then user and assistant in turn, the user last. Images stand before the text of their
 * message. Tokens that a conversation shares with the one before it are not computed again. */
TVLM_EXPORT tvlm_code tvlm_session_ask(tvlm_session* session, const char* request);

/* Starts an embedding of an image of the session, in place of an answer: numbers by which images
 * that look alike can be found. tvlm_session_advance, tvlm_session_run and tvlm_session_cancel work
 * on it as on an answer, without text; tvlm_session_report tells "usage" and "timings". An image
 * that was asked about or embedded lately is not encoded again, whichever came first.
 * TVLM_INVALID_ARGUMENT where the session has no image of that number. */
TVLM_EXPORT tvlm_code tvlm_session_embed(tvlm_session* session, uint32_t image);

/* The embedding: the mean of the image's rows (below), divided by its L2 norm, so that the sum of
 * products of two embeddings is their cosine similarity. `width`, where it is not NULL, gets how
 * many numbers it has; of one model all have the same. The session's; valid until the next
 * tvlm_session_ask or tvlm_session_embed on it, or until it is freed. NULL, with TVLM_NOT_READY,
 * where no embedding is complete. */
TVLM_EXPORT const float* tvlm_session_embedding(tvlm_session* session, size_t* width);

/* The rows that it is the mean of: what the projector makes of the image for the language model, a
 * row of `width` numbers for each token, one row behind the other, from the top left of the image
 * to its bottom right. `tokens`, where it is not NULL, gets how many rows there are. Else as
 * tvlm_session_embedding. */
TVLM_EXPORT const float* tvlm_session_embedding_rows(tvlm_session* session, size_t* tokens);

/* How an answer or an embedding stands. */
typedef enum tvlm_run_state TVLM_ENUM_INT {
  TVLM_RUNNING = 0, /* call tvlm_session_advance again */
  TVLM_DONE = 1,    /* complete, or cancelled */
  TVLM_WAITING = 2, /* for weights that have not been committed to the model */
  TVLM_BUSY = 3     /* a device computes: call again a little later, nothing is lost by waiting */
} tvlm_run_state;

/* Works on the answer or embedding for about budget_ms milliseconds (0 or more), or until there is
 * new text or it is complete. *state says how it stands. After an error it is over: TVLM_INTERNAL
 * where weights are damaged so that what is computed from them is no number, or where an embedding
 * is zero. */
TVLM_EXPORT tvlm_code tvlm_session_advance(tvlm_session* session, double budget_ms,
                                           tvlm_run_state* state);

/* The text that came since the last call, in whole characters, maybe empty. `length`, where it is
 * not NULL, gets its bytes: the model may produce U+0000. Valid until the next call on the
 * session. */
TVLM_EXPORT const char* tvlm_session_take_text(tvlm_session* session, size_t* length);

/* A piece of an answer: whole characters, never empty. Returning anything but 0 cancels the rest.
 * It must not call functions on the session. */
typedef int (*tvlm_text_callback)(const char* text, size_t length, void* user_data);

/* Advances until the answer is complete and hands each piece of text to `on_text` (NULL: the whole
 * is in tvlm_session_report), on the calling thread. */
TVLM_EXPORT tvlm_code tvlm_session_run(tvlm_session* session, tvlm_text_callback on_text,
                                       void* user_data);

/* Ends the answer or embedding under way: the tvlm_session_advance that runs, or the next one, ends
 * with TVLM_DONE within a bounded step, and the report says "cancelled". Nothing happens where none
 * is under way. Any thread, at any time while the session lives. */
TVLM_EXPORT void tvlm_session_cancel(tvlm_session* session);

/* The answer so far as JSON: {"text", "finishReason": "stop" | "length" | "cancelled" (also while
 * it is not complete), "usage": {"promptTokens", "imageTokens", "encodedImages", "reusedTokens",
 * "completionTokens"}, "timings": {"decodeImageMs", "preprocessMs", "visionMs", "prefillMs",
 * "decodeMs", "tokensPerSecond"}} and, where "logprobs" was asked for, {"logprobs": [{"text",
 * "bytes": [number, ...], "logprob", "top": [{"text", "bytes", "logprob"}, ...]}, ...]}: natural
 * logarithms, one entry for each token but one that ended the answer. `length`, where it is not
 * NULL, gets its bytes. Valid until the next call on the session. */
TVLM_EXPORT const char* tvlm_session_report(tvlm_session* session, size_t* length);

#ifdef __cplusplus
}
#endif

#endif /* TINYVLM_API_TINYVLM_H_ */
