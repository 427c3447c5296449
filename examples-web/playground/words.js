// How the page writes numbers, and explains failures in plain words.

const MEGABYTE = 1_048_576;

/** Bytes as people read them: "6.1 MB", "480 MB", "12 kB". */
export function formatBytes(bytes) {
  if (bytes < MEGABYTE / 10) return `${Math.ceil(bytes / 1024)} kB`;
  return `${formatMegabytes(bytes)} MB`;
}

/** "3.1 of 6.1 MB", or "3.1 MB so far" while the size is unknown. */
export function formatProgress(loadedBytes, totalBytes) {
  return totalBytes
    ? `${formatMegabytes(loadedBytes)} of ${formatMegabytes(totalBytes)} MB`
    : `${formatMegabytes(loadedBytes)} MB so far`;
}

/** What a model that is on its way is doing. */
export function formatLoading(loadedBytes, totalBytes, secondsLeft, isCheckpoint) {
  if (loadedBytes === 0) return isCheckpoint ? "reading the checkpoint" : "starting";
  if (isCheckpoint && loadedBytes === totalBytes) return "converted · starting";
  const left = secondsLeft === null ? [] : [formatSecondsLeft(secondsLeft)];
  if (!isCheckpoint) return [formatProgress(loadedBytes, totalBytes), ...left].join(" · ");
  // The bar beside it shows how far it is.
  const [told = `${Math.floor((100 * loadedBytes) / totalBytes)} %`] = left;
  return `converting · ${told}`;
}

function formatMegabytes(bytes) {
  const megabytes = bytes / MEGABYTE;
  return megabytes < 100 ? megabytes.toFixed(1) : String(Math.round(megabytes));
}

/** Time left, coarse on purpose: it is an estimate. */
export function formatSecondsLeft(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s left`;
  return `${Math.round(seconds / 60)} min left`;
}

/** The small print under an answer. */
export function formatTimings({ timings, usage, variant, threads }) {
  const parts = [`first word after ${formatMilliseconds(timings.firstTokenMs)}`];
  if (usage.completionTokens > 2 && Number.isFinite(timings.tokensPerSecond))
    parts.push(`${Math.round(timings.tokensPerSecond)} tokens/s`);
  if (usage.imageTokens > 0 && usage.encodedImages === 0) parts.push("image remembered");
  parts.push(formatEngine(variant, threads));
  return parts.join(" · ");
}

export function formatEngine(variant, threads) {
  return threads > 1 ? `${variant}, ${threads} threads` : variant;
}

function formatMilliseconds(milliseconds) {
  return milliseconds < 1000
    ? `${Math.round(milliseconds)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}

// What went wrong (title) and what helps (remedy), by the error's code. `loading`: while the model
// was loaded; `converting`: while a checkpoint was, for what is not as in loading; `asking`: while it
// answered.
const EXPLANATIONS = {
  loading: {
    network: [
      "The download broke off.",
      "Check the connection, then try again. A model on another site must allow other pages to " +
        "read it (CORS).",
    ],
    http: [
      "The server did not hand out the model.",
      "Check the address: it should lead straight to a .gguf file.",
    ],
    invalid_file: [
      "That is not a whole, sound model file.",
      "Load it again; if that does not help, convert it anew. It should be a FastVLM file that " +
        "ends in .gguf.",
    ],
    unsupported: [
      "This device or this browser cannot run that model.",
      "Choose a smaller one or a more common type (q4_0, q8_0), or use a newer browser.",
    ],
    out_of_memory: [
      "There is not enough memory for that model.",
      "Close other tabs, or choose a smaller model.",
    ],
    io: ["The file could not be read.", "Check that it is still there, then choose it again."],
    worker: [
      "The engine could not start.",
      "Reload the page. An extension or a very strict network filter may be in the way.",
    ],
  },
  converting: {
    not_found: [
      "There is no checkpoint in that folder.",
      "It should hold config.json and files that end in .safetensors, not in folders of their own.",
    ],
    http: [
      "The server did not hand out the checkpoint.",
      "Check its name or address; some ask for an account first.",
    ],
    invalid_file: [
      "That checkpoint cannot be converted.",
      "A file of it may be missing, cut short, or of another model than FastVLM.",
    ],
    unsupported: [
      "That checkpoint is none that this page can convert.",
      "It has to be a FastVLM, with its weights in .safetensors files.",
    ],
    io: [
      "A file of the checkpoint could not be read.",
      "Check that the folder is still there, then drop it again.",
    ],
  },
  asking: {
    invalid_image: [
      "That image cannot be opened.",
      "It may be damaged or of a kind that this browser does not know. PNG, JPEG and WebP always " +
        "work.",
    ],
    network: [
      "The image could not be fetched.",
      "Save it on your device first, then choose it here.",
    ],
    http: ["The image could not be fetched.", "Save it on your device first, then choose it here."],
    context_full: ["That is more than the model can keep in mind.", "Ask something shorter."],
    out_of_memory: [
      "There is not enough memory to answer.",
      "Close other tabs, or use a smaller image or model.",
    ],
    unsupported: [
      "This image or this question is beyond what the model can take.",
      "Try a smaller image or another question.",
    ],
    worker: ["The engine stopped.", "Start it again; the image is still here."],
  },
};
const UNKNOWN = {
  loading: ["The model could not be loaded.", "Try again, or use the demo model."],
  converting: ["The checkpoint could not be converted.", "Try again, or use the demo model."],
  asking: ["No answer came of that.", "Try again, or ask in another way."],
};

/**
 * A failure in plain words.
 * @param {Error & {code?: string}} error
 * @param {"loading" | "converting" | "asking"} moment
 * @returns {{title: string, remedy: string, detail: string}} detail: the library's own sentence,
 * for whoever wants to know
 */
export function explain(error, moment) {
  const asLoading = moment === "converting" ? EXPLANATIONS.loading[error.code] : undefined;
  const [title, remedy] = EXPLANATIONS[moment][error.code] ?? asLoading ?? UNKNOWN[moment];
  return { title, remedy, detail: String(error.message ?? error) };
}
