// Help texts.

import { optionFlagsHelp } from "./options.generated.js";

export const mainHelp = `tiny-vlm: questions about images, answered on this machine

  tiny-vlm ask <image> <question>      answer in words, as they are made
  tiny-vlm pull <source>               fetches a model or a checkpoint, to be kept here
  tiny-vlm cache                       which models are kept on this machine
  tiny-vlm copy-assets <folder>        the files that a page needs, for bundlers that copy none
  tiny-vlm convert <folder> -o <file>  a checkpoint folder becomes one model file
  tiny-vlm fidelity <f32> <other>      how far a model file strays from the same checkpoint in f32
  tiny-vlm inspect <file>              what a model file holds
  tiny-vlm trace <file> --case <case>  every stage of a model on a given input

Every command takes --variant scalar|simd|relaxed|simd-mt|relaxed-mt and --threads N, and explains
itself with --help. tiny-vlm --version prints the version.
Errors are one line on stderr; exit codes are listed in docs/errors.md.
`;

export const askHelp = `tiny-vlm ask <image> <question> [flags]

  <image>  a path or URL of a PNG or JPEG; "-" or "none" asks without an image

  --model FILE             A model file or its URL. Default: the demo model that
                           comes with the package.
  --image FILE             One more image, after <image>. May be repeated.
  --then QUESTION          A further question of the same conversation. May be
                           repeated.
  --json                   One line of JSON on stdout instead of the words.
${optionFlagsHelp}`;

export const cacheHelp = `tiny-vlm cache [list | delete <url> | clear | folder] [--json]

Models that are loaded from a URL are kept, so that they are fetched once.

  list          Which they are, how much of each is there, when they were last
                used. --json: as one line of JSON.
  delete <url>  Deletes the one from this address.
  clear         Deletes all.
  folder        Where they are. TINYVLM_CACHE sets it.
`;

export const pullHelp = `tiny-vlm pull <source> [--type q4_0] [--yes]

Fetches a model, so that later commands need no network. A FastVLM checkpoint
is converted on the way: what is kept is one model file.

  <source>    hf:owner/repository[@revision] (a checkpoint), hf:owner/
              repository/file.gguf, a model's URL, or the URL of a checkpoint's
              folder (ends in /).
  --type T    Of a checkpoint's weights: f32, f16, bf16, q8_0, q5_0, q4_0.
              Default: q8_0.
  --yes       Does not ask after showing licence and size.

HF_ENDPOINT is the hub's address, HF_TOKEN goes to it as a bearer token.
Interrupted, it goes on where it was.
`;

export const copyAssetsHelp = `tiny-vlm copy-assets <folder> [--demo-model]

Copies what a page fetches at run time (workers, wasm files, what converts
checkpoints) to a folder that your server serves. For bundlers that copy no
files of packages (Rollup, esbuild): the option assetsUrl of TinyVLM.load is
that folder's address.

  --demo-model  The demo model too (6.3 MB).

Example: tiny-vlm copy-assets public/tiny-vlm
         TinyVLM.load(source, { assetsUrl: "/tiny-vlm/" })
`;
