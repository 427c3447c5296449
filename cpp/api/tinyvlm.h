/* Tiny-VLM's C interface: everything the engine does, for C, Swift, JNI and the wasm bindings.
 * Handles and arguments are checked here, once.
 *
 * Every function returns a tvlm_result. `message` and `text` are UTF-8, never null, and belong to
 * the library: they are valid until the next call on the same thread. Options, requests and reports
 * are JSON objects; an unknown key or a value of the wrong type is an error, a missing key has the
 * default that is given with it. Handles are numbers above 0.
 *
 * One thread at a time may use a model and its sessions. */
#ifndef TINYVLM_API_TINYVLM_H_
#define TINYVLM_API_TINYVLM_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tvlm_result {
  int32_t code;        /* 0, or an error code (docs/errors.md) */
  const char* message; /* "" , or one sentence: what was wanted, what was found, where */
  uint64_t value;      /* a handle, an address or a state, where the function has one */
  const char* text;    /* a report or a piece of an answer, where the function has one */
} tvlm_result;

/* Computes small products of every kind with known results. An error where this build computes
 * wrongly on this machine. */
tvlm_result tvlm_self_test(void);

/* A model to be loaded. options: {"threads": 1} (the caller's included). value: its handle. */
tvlm_result tvlm_model_create(const char* options);

/* value: the address where the next `bytes` bytes of the model file go. */
tvlm_result tvlm_model_reserve(uint32_t model, uint64_t bytes);

/* `bytes` bytes have been written there. value: 0 header incomplete, 1 loading, 2 complete. */
tvlm_result tvlm_model_commit(uint32_t model, uint64_t bytes);

/* No more bytes will come: an error where the file is truncated. */
tvlm_result tvlm_model_end(uint32_t model);

/* text: {"state", "fileBytes" (0 while unknown), "receivedBytes", "threads"} and, once the header
 * is whole, {"name", "architecture", "imageSize", "imageTokens" (both 0 for a model that reads text
 * only), "hasTokenizer", "maxContext", "vocabulary"}. */
tvlm_result tvlm_model_info(uint32_t model);

/* Forgets the model. Its memory is freed when its last session is gone too. */
tvlm_result tvlm_model_dispose(uint32_t model);

/* A session on a model whose header is whole. options: {"context": 2048 (at most the model's),
 * "compute": "fast" | "f32", "imageSize" (side of the images that the tower sees; default: the
 * model's), "resize": "pad" | "crop", "chatStyle": "qwen_2" | "v1" | "plain" (default: the
 * model's)}. value: its handle. text: {"imageSize", "imageTokens" (rows that an image takes),
 * "context"} of the session. */
tvlm_result tvlm_session_create(uint32_t model, const char* options);

/* value: the address where one image's bytes go. After an error none of the images added since the
 * last ask is left, but those that messages named. */
tvlm_result tvlm_image_reserve(uint32_t session, uint64_t bytes);

/* The reserved bytes become an image of the session. options: {"bytes", "format": "encoded" (PNG,
 * JPEG) | "rgba" | "rgb", "width", "height" (of raw pixels), "exact": false (true: alpha dropped
 * and EXIF orientation ignored, as the reference does)}. value: the image's number. text:
 * {"decodeMs", "preprocessMs", "width", "height"}. After an error as with tvlm_image_reserve. */
tvlm_result tvlm_image_add(uint32_t session, const char* options);

/* Forgets an image; nothing happens where there is none of that number. */
tvlm_result tvlm_image_drop(uint32_t session, uint32_t image);

/* Starts an answer. request: {"prompt" or "messages", "maxTokens": 256, "temperature": 0, "topK":
 * 0, "topP": 1, "minP": 0, "repetitionPenalty": 1, "stop": [], "seed": 0}. "prompt" is one question
 * about the images added since the last ask; they stand before it and are forgotten. "messages" is
 * a conversation: [{"role": "system" | "user" | "assistant", "content", "images": [number, ...]},
 * ...], a system message or none, then user and assistant in turn, the user last. Images stand
 * before the text of their message and stay until tvlm_image_drop. Rows that a conversation shares
 * with the one before it are not computed again. */
tvlm_result tvlm_session_ask(uint32_t session, const char* request);

/* Works for about budget_ms. value: 0 running, 1 done, 2 waiting for weights, 3 busy (a device
 * works; call again when it has had time). text: what came, whole characters, maybe "". */
tvlm_result tvlm_session_advance(uint32_t session, double budget_ms);

/* text: {"text", "finishReason", "usage", "timings"} of the answer so far. */
tvlm_result tvlm_session_result(uint32_t session);

tvlm_result tvlm_session_dispose(uint32_t session);

#ifdef __cplusplus
}
#endif

#endif /* TINYVLM_API_TINYVLM_H_ */
