// Checkpoints that are dropped on the page: a folder, or its files.

/**
 * The checkpoint among what was dropped; null: there is none. To be called while the event is
 * handled, because the browser forgets what was dropped afterwards.
 * @param {DataTransfer} data
 * @returns {{label: string, source: Promise<FileSystemDirectoryHandle | File[]>} | null}
 */
export function droppedCheckpoint(data) {
  for (const item of data.items) {
    const entry = item.kind === "file" ? item.webkitGetAsEntry?.() : null;
    if (!entry?.isDirectory) continue;
    // Firefox and Safari have the older interface alone.
    const source = item.getAsFileSystemHandle?.() ?? filesOf(entry);
    source.catch(() => {}); // whoever uses it is told
    return { label: entry.name, source };
  }
  const files = [...data.files];
  const weights = files.find(({ name }) => name.endsWith(".safetensors"));
  return weights ? { label: weights.name, source: Promise.resolve(files) } : null;
}

/**
 * The files right in a folder.
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<File[]>}
 */
async function filesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    entries.push(...some);
  }
  return Promise.all(
    entries
      .filter(({ isFile }) => isFile)
      .map((entry) => new Promise((resolve, reject) => entry.file(resolve, reject))),
  );
}
