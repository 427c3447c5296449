// Images and where they come from: the samples, a chosen, dropped or pasted file, an address, the
// camera.

const SAMPLES = new URL("../samples/", import.meta.url);
const SUGGESTIONS = 4;
const GENERIC_QUESTIONS = [
  "Describe the image.",
  "What is the background color?",
  "How many objects are in the picture?",
  "Do you see any animals?",
];

/**
 * An image the page can show and ask about.
 * @typedef {{url: string, caption: string, alt: string, questions: string[], isSample: boolean,
 * bytes: () => Promise<Blob>}} Image
 */

/** The sample images with questions that suit them. @returns {Promise<Image[]>} */
export async function loadSamples() {
  const list = await (await fetch(new URL("samples.json", SAMPLES))).json();
  return list.map(({ image, alt, questions }, index) => {
    const url = new URL(image, SAMPLES).href;
    return {
      url,
      // says nothing of what is in it: that is for the model to say
      caption: `Sample drawing ${index + 1} of ${list.length}`,
      alt: `Sample drawing: ${alt}`,
      questions: questions.slice(0, SUGGESTIONS).map(({ question }) => question),
      isSample: true,
      bytes: once(async () => (await fetch(url)).blob()),
    };
  });
}

/** `make`, called once: its value is kept, its failure is not. */
function once(make) {
  let made = null;
  return async () => {
    made ??= await make();
    return made;
  };
}

/** An image of the user's own. @param {Blob} blob @param {string} caption @returns {Image} */
export function ownImage(blob, caption) {
  const url = URL.createObjectURL(blob);
  return {
    url,
    caption,
    alt: `Your image: ${caption}`,
    questions: GENERIC_QUESTIONS,
    isSample: false,
    bytes: async () => blob,
  };
}

/**
 * What a drop or a paste brought: an image file, a model file, an image's address, or null. @param
 * {DataTransfer} data
 */
export function fromTransfer(data) {
  const files = [...data.files];
  const model = files.find(isModelFile);
  if (model) return { kind: "model", file: model };
  const image = files.find((file) => file.type.startsWith("image/")) ?? files[0];
  if (image) return { kind: "image", file: image };
  const address = (data.getData("text/uri-list") || data.getData("text/plain"))
    .split("\n")
    .find((line) => /^https?:\/\//.test(line.trim()));
  return address ? { kind: "address", url: address.trim() } : null;
}

export function isModelFile(file) {
  return file.name.toLowerCase().endsWith(".gguf");
}

/**
 * Fetches an image from another page. Throws where that page does not allow it. @param {string} url
 * @returns {Promise<Image>}
 */
export async function imageFromAddress(url) {
  const response = await fetch(url, {
    mode: "cors",
    credentials: "omit",
    referrerPolicy: "no-referrer",
  });
  const blob = await response.blob();
  if (!response.ok || !blob.type.startsWith("image/")) throw new Error(`no image at ${url}`);
  return ownImage(blob, fileName(new URL(url)) || "image from the web");
}

/** The last part of an address's path, readable; "" where there is none. @param {URL} url */
export function fileName(url) {
  const name = url.pathname.split("/").pop();
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // a stray % sign
  }
}
