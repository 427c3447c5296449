// Help texts.

export const mainHelp = `tiny-vlm: questions about images, answered on this machine

  tiny-vlm ask <image> <question>      answer in words, as they are made
  tiny-vlm convert <folder> -o <file>  a checkpoint folder becomes one model file
  tiny-vlm fidelity <f32> <other>      how far a model file strays from the same checkpoint in f32
  tiny-vlm inspect <file>              what a model file holds
  tiny-vlm trace <file> --case <case>  every stage of a model on a given input

Every command takes --variant scalar|simd|relaxed|simd-mt|relaxed-mt and --threads N, and explains itself with --help.
Errors are one line on stderr; exit codes are listed in docs/errors.md.
`;

export const askHelp = `tiny-vlm ask <image> <question> [flags]

  <image>  a path or an address of a PNG or JPEG; "-" or "none" asks without an image

  --model FILE              a model file or its address (default: the demo model that comes with the package)
  --image FILE              one more image, after <image>; may be repeated
  --then QUESTION           a further question of the same conversation; may be repeated
  --system TEXT             what the model is told first, instead of its own words
  --image-size N            side of the image that the model is shown, a multiple of 64
  --resize pad|crop         how an image becomes square
  --chat-style qwen_2|v1|plain   how prompts are written, where the model file does not say
  --json                    one line of JSON on stdout instead of the words
  --max-tokens N            default 256
  --temperature T           default 0: always the most likely word
  --top-k N, --top-p P, --min-p P, --repetition-penalty R, --seed N
  --stop TEXT               end before this text; may be repeated
  --context N               rows of context (default 2048)
  --exact-preprocess        alpha dropped, EXIF ignored, as the reference does
  --compute fast|f32        f32 is slow and for comparisons
  --variant scalar|simd|relaxed|simd-mt|relaxed-mt, --threads N
`;
