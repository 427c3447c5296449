// The package's own files: where they are when they are not beside the script, and what to do where
// one is missing.

import { TinyVLMError } from "../protocol/errors.js";
import type { Platform } from "./platform.js";
import type { LoadOptions } from "./types.js";

/** The demo model's name in the package's folder `dist`. */
export const demoModelFile = "model/tiny-vlm-demo.gguf";

/**
 * The address of a file of the package called `name`. `find` holds it as
 * `new URL("./…", import.meta.url)`, the form that bundlers look for; `?no-inline` in it keeps
 * Vite's library mode from putting the file into the script, and is taken off here. Where a bundler
 * took import.meta.url away it is the name, so that the error of who reads it tells of the file.
 */
export function bundledUrl(name: string, find: () => URL): string {
  try {
    return find().href.replace("?no-inline", "");
  } catch {
    return name;
  }
}

/** `platform` with the package's files taken from the option `assetsUrl`, where that is given. */
export function withAssets(platform: Platform, options: LoadOptions | undefined): Platform {
  const { assetsUrl } = options ?? {};
  if (assetsUrl === undefined) return platform;
  const folder = platform.absoluteUrl(assetsUrl).replace(/\/?$/, "/");
  return {
    ...platform,
    file: (name) => folder + name,
    spawn(kind, url = folder + platform.workerFiles[kind], signal) {
      return platform.spawn.call(this, kind, url, signal);
    },
  };
}

/** `error` with `hint`, what to do about the missing file that it tells of. */
export function withHint(error: TinyVLMError, hint: string): TinyVLMError {
  const { code, message, status, url } = error;
  return new TinyVLMError(code, `${message}; ${hint}`, { cause: error, status, url });
}

/** `reason` with what to do about it, where it tells that the demo model is missing. */
export function withDemoHint(reason: unknown): unknown {
  return isMissingFile(reason) && reason.message.includes(demoModelFile)
    ? withHint(
        reason,
        "bundlers copy it for those who ask for it: load the `demoModel` that " +
          '"tiny-vlm/demo-model" exports',
      )
    : reason;
}

/** Whether an error tells that a file is missing, or that another one was sent in its place. */
export function isMissingFile(reason: unknown): reason is TinyVLMError {
  return (
    reason instanceof TinyVLMError && /^(not_found|http|network|invalid_file|io)$/.test(reason.code)
  );
}
