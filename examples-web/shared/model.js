// How the examples load a model: the one that the page's address names (`?model=https://…`, or a
// path, or `hf:owner/repository/file`), else the demo model; and how they say so.

/** Loads it, telling how it goes in `status`. Says there what went wrong before it throws. */
export async function loadModel(TinyVLM, status, fallback) {
  const source = new URLSearchParams(location.search).get("model") ?? fallback;
  try {
    const vlm = await TinyVLM.load(source, {
      onProgress({ phase, loadedBytes, totalBytes }) {
        const share = totalBytes > 0 ? ` ${Math.floor((loadedBytes / totalBytes) * 100)} %` : "";
        if (phase !== "ready") status.textContent = `Loading the model${share}`;
      },
    });
    const megabytes = (vlm.info.fileBytes / 1e6).toFixed(0);
    status.textContent = `${vlm.info.name || "The model"} is ready (${megabytes} MB, ${vlm.variant}).`;
    return vlm;
  } catch (error) {
    status.textContent = `The model could not be loaded: ${error.message}`;
    throw error;
  }
}
