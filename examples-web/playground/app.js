// The playground: one image, one model, questions and answers. The parts are in files of their own;
// this one connects them.
import { TinyVLM } from "../../dist/index.mjs";
import { cameraIsOffered, takeImage } from "./camera.js";
import { Conversation, make, makeTrouble } from "./conversation.js";
import { droppedCheckpoint } from "./dropped.js";
import { DEMO_MODEL, ModelSlot } from "./model.js";
import {
  fileName,
  fromTransfer,
  isModelFile,
  loadSamples,
  ownImage,
  imageFromAddress,
} from "./images.js";
import { formatBytes, formatLoading } from "./words.js";

const MAX_TOKENS = 256;
const QUESTIONS_FOR_LARGER_MODELS = [
  "Describe the image in detail.",
  "What is the main thing here?",
  "Read the text in the picture.",
  "What is unusual about it?",
];
const find = (id) => document.getElementById(id);
const page = {
  modelButton: find("model-button"),
  modelName: find("model-name"),
  modelDetail: find("model-detail"),
  modelProgress: find("model-progress"),
  frame: find("frame"),
  image: find("image"),
  caption: find("image-caption"),
  samples: find("samples"),
  file: find("file"),
  alert: find("alert"),
  log: find("log"),
  chips: find("chips"),
  form: find("form"),
  question: find("question"),
  ask: find("ask"),
  stop: find("stop"),
  note: find("note"),
  announcer: find("announcer"),
  drop: find("drop"),
  cameraDialog: find("camera-dialog"),
  modelDialog: find("model-dialog"),
};

// Image

let image = null; // what is shown
const conversations = new Map(); // Image -> Conversation

function show(next) {
  stopAnswer();
  if (image && !image.isSample && image !== next) {
    // an own image cannot be chosen again from the page: release it and its conversation
    URL.revokeObjectURL(image.url);
    conversations.delete(image);
  }
  image = next;
  if (!conversations.has(image)) conversations.set(image, new Conversation());
  page.image.src = image.url;
  page.image.alt = image.alt;
  page.image.hidden = false;
  page.caption.textContent = image.caption;
  for (const button of page.samples.querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(button.dataset.url === image.url));
  page.log.replaceChildren(conversations.get(image).element);
  page.log.scrollTop = page.log.scrollHeight;
  showChips();
  showNote();
}

function showOwn(blob, caption) {
  if (isModelFile({ name: caption }))
    return useModel({ label: caption, isDemo: false, source: blob });
  show(ownImage(blob, caption));
  announce(`Image chosen: ${caption}`);
}

function showChips() {
  const conversation = conversations.get(image);
  const suggested = isDemo() ? image.questions : QUESTIONS_FOR_LARGER_MODELS;
  const questions = suggested.filter((question) => !conversation.hasAsked(question));
  page.chips.replaceChildren(
    ...questions.map((question) => {
      const chip = make("button", "chip", question);
      chip.type = "button";
      chip.onclick = () => ask(question);
      return make("li", "", chip);
    }),
  );
  page.chips.hidden = questions.length === 0;
}

function isDemo() {
  return model.choice?.isDemo ?? true;
}

function showNote() {
  page.note.hidden = !isDemo();
  page.note.classList.toggle("strong", !image.isSample);
  page.note.textContent = image.isSample
    ? "The demo model is small: it knows drawings of about 180 everyday things, and it does make " +
      "mistakes."
    : "Honest warning: the demo model knows drawings of about 180 things. To a photo it gives a " +
      "confident guess; load a larger model for those.";
}

function addSamples(samples) {
  page.samples.replaceChildren(
    ...samples.map((sample) => {
      const image = make("img", "");
      image.src = sample.url;
      image.alt = sample.alt;
      const button = make("button", "sample", image);
      button.type = "button";
      button.dataset.url = sample.url;
      button.onclick = () => show(sample);
      return make("li", "", button);
    }),
  );
}

// Model

const model = new ModelSlot((state) => {
  const { phase, choice, loadedBytes, totalBytes, secondsLeft, error, warnings } = state;
  page.modelName.textContent = choice.label;
  page.modelProgress.hidden = phase !== "loading";
  page.alert.hidden = phase !== "failed";
  if (image && phase !== "loading") {
    showNote();
    showChips();
  }
  if (phase === "loading") {
    page.modelDetail.textContent = formatLoading(
      loadedBytes,
      totalBytes,
      secondsLeft,
      choice.isCheckpoint ?? false,
    );
    page.modelProgress.max = totalBytes || 1;
    if (totalBytes === 0 && loadedBytes > 0) page.modelProgress.removeAttribute("value");
    else page.modelProgress.value = loadedBytes;
  } else if (phase === "ready") {
    page.modelDetail.textContent = loadedBytes ? `ready · ${formatBytes(loadedBytes)}` : "ready";
    page.alert.hidden = warnings.length === 0;
    page.alert.replaceChildren(...warnings.map((warning) => make("p", "", warning)));
    announce(`${choice.label} is ready.`);
  } else {
    page.modelDetail.textContent = "could not be loaded";
    const actions = [["Try again", () => useModel(choice)]];
    if (!choice.isDemo) actions.push(["Use the demo model", () => useModel(DEMO_MODEL)]);
    const moment = choice.isCheckpoint ? "converting" : "loading";
    page.alert.replaceChildren(...makeTrouble("", error, moment, actions).childNodes);
    page.alert.scrollIntoView({ block: "nearest" });
  }
});

function useModel(choice) {
  stopAnswer();
  model.load(choice);
}

// Asking

let answering = null; // AbortController of the answer that is being written

async function ask(question) {
  stopAnswer();
  const about = image;
  const conversation = conversations.get(about);
  const exchange = conversation.add(question);
  const abort = new AbortController();
  answering = abort;
  showBusy(true);
  showChips();
  if (!model.isReady) exchange.wait("One moment, the model is still on its way.");
  follow(exchange);
  announce(model.isReady ? "Looking at the image." : "Waiting for the model.");
  let moment = model.choice.isCheckpoint ? "converting" : "loading";
  try {
    const vlm = await untilAborted(model.ready(), abort.signal);
    moment = "asking";
    const image = await untilAborted(about.bytes(), abort.signal);
    const reply = vlm.ask(image, question, { maxTokens: MAX_TOKENS, signal: abort.signal });
    for await (const text of reply) {
      page.frame.classList.remove("looking");
      exchange.append(text);
      follow(exchange);
    }
    exchange.finish(await reply);
    announce(exchange.text);
  } catch (error) {
    if (abort.signal.aborted) exchange.stop();
    else {
      const mustReload = moment !== "asking" || error.code === "worker";
      exchange.fail(error, moment, [
        [
          "Try again",
          () => {
            if (mustReload) model.load(model.choice);
            void ask(question);
          },
        ],
      ]);
      announce("Something went wrong. The reason is shown below the question.");
    }
  }
  follow(exchange);
  if (answering === abort) {
    answering = null;
    showBusy(false);
  }
}

/** The promise's value, or a rejection as soon as the signal is raised. */
function untilAborted(promise, signal) {
  return Promise.race([
    promise,
    new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
    ),
  ]);
}

function stopAnswer() {
  answering?.abort();
  answering = null;
  showBusy(false);
}

function showBusy(busy) {
  const hadFocus = document.activeElement === page.stop;
  document.body.classList.toggle("busy", busy);
  page.frame.classList.toggle("looking", busy);
  page.ask.hidden = busy;
  page.stop.hidden = !busy;
  if (hadFocus && !busy) page.question.focus();
}

/** Keeps the newest words in sight: inside the log where it scrolls by itself, else on the page. */
function follow(exchange) {
  if (!exchange.element.isConnected) return;
  if (page.log.scrollHeight > page.log.clientHeight) page.log.scrollTop = page.log.scrollHeight;
  const bottom = page.form.getBoundingClientRect().top - page.chips.offsetHeight;
  const hiddenBy = exchange.element.getBoundingClientRect().bottom - bottom;
  if (hiddenBy > 0) window.scrollBy(0, hiddenBy + 12);
}

function announce(text) {
  page.announcer.textContent = text;
}

page.form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = page.question.value.trim();
  if (question === "" || !image) return page.question.focus();
  page.question.value = "";
  void ask(question);
});
page.stop.addEventListener("click", stopAnswer);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && answering && !document.querySelector("dialog[open]")) stopAnswer();
});

// Images from the user

find("choose").addEventListener("click", () => page.file.click());
page.file.addEventListener("change", () => {
  const [file] = page.file.files;
  if (file) showOwn(file, file.name);
  page.file.value = "";
});
const camera = find("camera");
camera.hidden = !cameraIsOffered();
camera.addEventListener("click", () => {
  void takeImage(page.cameraDialog).then((blob) => {
    if (blob) showOwn(blob, "from the camera");
  });
});

function receive(data) {
  const checkpoint = droppedCheckpoint(data);
  if (checkpoint) {
    useModel({ ...checkpoint, isDemo: false, isCheckpoint: true });
    announce(`Converting ${checkpoint.label}.`);
    return true;
  }
  const brought = fromTransfer(data);
  if (brought === null) return false;
  if (brought.kind === "address") void fetchImage(brought.url);
  else showOwn(brought.file, brought.file.name || "pasted image");
  return true;
}

async function fetchImage(url) {
  try {
    show(await imageFromAddress(url));
  } catch {
    page.caption.textContent =
      "That page does not hand out its image. Save it on your device first, then drop it here.";
    announce(page.caption.textContent);
  }
}

document.addEventListener("paste", (event) => {
  const isTextForTheQuestion =
    event.target === page.question && event.clipboardData.files.length === 0;
  if (!isTextForTheQuestion && receive(event.clipboardData)) event.preventDefault();
});
let dragDepth = 0; // dragenter and dragleave come for every element passed
document.addEventListener("dragenter", ({ dataTransfer }) => {
  // A folder and a model file have no type.
  const isImage = [...(dataTransfer?.items ?? [])].every(({ type }) => type !== "");
  page.drop.firstElementChild.textContent = isImage ? "Let go to look at it" : "Let go to use it";
  page.drop.hidden = ++dragDepth === 0;
});
document.addEventListener("dragleave", () => {
  page.drop.hidden = --dragDepth <= 0;
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  dragDepth = 0;
  page.drop.hidden = true;
  receive(event.dataTransfer);
});
page.image.addEventListener("load", () => {
  page.image.style.setProperty(
    "--ratio",
    String(page.image.naturalWidth / page.image.naturalHeight),
  );
});
page.image.addEventListener("error", () => {
  page.caption.textContent =
    `${image.caption}: this browser cannot show it. ` + "PNG, JPEG and WebP always work.";
});

// Models from the user

const modelForm = find("model-form");
const fields = { url: find("model-url-field"), file: find("model-file-field") };
const modelError = find("model-form-error");

function showModelFields() {
  const chosen = modelForm.elements.source.value;
  for (const [name, field] of Object.entries(fields)) field.hidden = name !== chosen;
  modelError.hidden = true;
}

function chosenModel() {
  const source = modelForm.elements.source.value;
  if (source === "demo") return DEMO_MODEL;
  if (source === "file") {
    const [file] = find("model-file").files;
    if (!file) throw new Error("Choose a file first.");
    return { label: file.name, isDemo: false, source: file };
  }
  const address = find("model-url").value.trim();
  if (address === "") throw new Error("Write the address of a .gguf file first.");
  const isCheckpoint = /^hf:[^/]+\/[^/]+$|\/$/.test(address);
  if (address.startsWith("hf:"))
    return { label: address.split("/").pop(), isDemo: false, isCheckpoint, source: address };
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(address);
  let url;
  try {
    url =
      hasScheme || address.startsWith("/")
        ? new URL(address, location.href)
        : new URL(`https://${address}`);
  } catch {
    throw new Error("That is not a web address.");
  }
  if (!/^https?:$/.test(url.protocol)) throw new Error("The address has to start with https://");
  return {
    label: fileName(url) || url.host,
    isDemo: false,
    isCheckpoint: url.pathname.endsWith("/"),
    source: url.href,
  };
}

page.modelButton.addEventListener("click", () => {
  showModelFields();
  page.modelDialog.showModal();
  void showStored();
});
modelForm.addEventListener("change", showModelFields);
find("stored-delete").addEventListener("click", () => {
  TinyVLM.cache.clear().then(
    () => showStored(),
    (error) => showStored(error.message),
  );
});

/** Says how much of models is kept on this device; `trouble`: and what went wrong. */
async function showStored(trouble = "") {
  const { usedBytes } = await TinyVLM.cache.estimate();
  find("stored").hidden = usedBytes === 0;
  find("stored-text").textContent =
    `Stored on this device: ${formatBytes(usedBytes)}` + (trouble && `. ${trouble}`);
}
find("model-cancel").addEventListener("click", () => page.modelDialog.close());
modelForm.addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    useModel(chosenModel());
    page.modelDialog.close();
  } catch (error) {
    modelError.textContent = error.message;
    modelError.hidden = false;
  }
});

// Start

model.load(DEMO_MODEL);
const samples = await loadSamples();
addSamples(samples);
if (image === null) show(samples[0]);
