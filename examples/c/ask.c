/* ask MODEL IMAGE [QUESTION]: answers about a PNG or JPEG, word by word. */
#include <stdio.h>
#include <stdlib.h>
#include <tinyvlm.h>

/* The whole file; the caller frees it. NULL where it cannot be read. */
static void* read_file(const char* path, size_t* bytes) {
  FILE* file = fopen(path, "rb");
  char* data = NULL;
  long size = -1;
  if (file != NULL && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
  if (size >= 0) data = malloc((size_t)size + 1);
  if (data != NULL && fseek(file, 0, SEEK_SET) == 0) *bytes = fread(data, 1, (size_t)size, file);
  if (file != NULL) fclose(file);
  return data;
}

static int print_text(const char* text, size_t length, void* unused) {
  (void)unused;
  fwrite(text, 1, length, stdout);
  fflush(stdout);
  return 0; /* anything else would end the answer */
}

int main(int argc, char** argv) {
  const char* question = argc > 3 ? argv[3] : "Describe the image.";
  tvlm_model* model = tvlm_model_create("{\"threads\":2}", NULL);
  tvlm_session* session = NULL;
  tvlm_error* error = NULL;
  void* file = NULL;
  size_t bytes = 0;
  uint32_t image = 0;
  char request[1024];
  int failed = 1;
  if (argc < 3) {
    fprintf(stderr, "usage: ask MODEL IMAGE [QUESTION]\n");
  } else if (tvlm_model_load_path(model, argv[1], NULL, NULL) != TVLM_OK) {
    fprintf(stderr, "%s\n", tvlm_model_error(model));
  } else if ((session = tvlm_session_create(model, "{}", &error)) == NULL) {
    fprintf(stderr, "%s\n", tvlm_error_message(error));
  } else if ((file = read_file(argv[2], &bytes)) == NULL) {
    fprintf(stderr, "cannot read %s\n", argv[2]);
  } else if (tvlm_session_add_image(session, file, bytes, 0, &image) != TVLM_OK) {
    fprintf(stderr, "%s: %s\n", argv[2], tvlm_session_error(session));
  } else {
    /* A real program escapes the question for JSON. */
    snprintf(request, sizeof request,
             "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\",\"images\":[%u]}]}", question,
             (unsigned)image);
    failed = tvlm_session_ask(session, request) != TVLM_OK ||
             tvlm_session_run(session, print_text, NULL) != TVLM_OK;
    printf("\n");
    if (failed) fprintf(stderr, "%s\n", tvlm_session_error(session));
  }
  free(file);
  tvlm_error_free(error);
  tvlm_session_free(session);
  tvlm_model_free(model);
  return failed;
}
