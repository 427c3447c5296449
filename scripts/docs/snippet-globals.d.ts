// What the documents' snippets use without declaring it. tests-browser/snippets.spec.mjs gives the
// values with which they run.
type Package = typeof import("tiny-vlm");

declare const TinyVLM: Package["TinyVLM"];
declare const TinyVLMError: Package["TinyVLMError"];
declare const vlm: import("tiny-vlm").TinyVLM;
declare const chat: import("tiny-vlm").Chat;
declare const image: Blob;
declare const photo: Blob;
declare const left: Blob;
declare const right: Blob;
declare const file: File;
declare const modelFile: File;
declare const url: string;
declare const source: string;
declare const out: HTMLElement;
declare const video: HTMLVideoElement;
declare const canvas: HTMLCanvasElement;
declare const LanguageModel: import("tiny-vlm/prompt-api").LanguageModelClass;
declare const signal: AbortSignal;
declare function onProgress(progress: import("tiny-vlm").LoadProgress): void;
declare function show(text: string): void;
