// What is the same in this package and in the SDK for the web, and what is not: all of it, so that
// a change of one of the two is noticed. Compiled from the sources of both, with the types of a
// page. docs/react-native.md says the same in words; types.test.mjs compares the names.
import type * as Web from "../../js-sdk/src/index.js";
import type * as Phone from "../../mobile/react-native/src/index.js";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <_ extends true>() => {};

// Public members by their names, but for those that are symbols.
type Names<T> = Extract<keyof T, string>;
type OnlyWeb<W, P> = Exclude<Names<W>, Names<P>>;
type Shared<W, P, Different extends string = never> = Exclude<
  Extract<Names<W>, Names<P>>,
  Different
>;
/** That the members of `P` are those of `W` but for `Missing`, of the same types but for some. */
type Matches<W, P, Missing extends string, Added extends string, Different extends string> = [
  Same<OnlyWeb<W, P>, Missing>,
  Same<OnlyWeb<P, W>, Added>,
  Same<Pick<W, Shared<W, P, Different>>, Pick<P, Shared<W, P, Different>>>,
] extends [true, true, true]
  ? true
  : false;

// Begin of what the document lists.
type MissingLoadOptions =
  "assetsUrl" | "cache" | "early" | "onWarning" | "type" | "variant" | "wasmUrl" | "workerUrl";
type MissingOfModel = "embed" | "variant";
type MissingStatics = "inspect";
type MissingOfCache = "clear" | "estimate" | "folder" | "list" | "persist";
type MissingOfAnswer = "variant";
type MissingOfInfo = "hasTokenizer";
// End of what the document lists.

same<Matches<Web.LoadOptions, Phone.LoadOptions, MissingLoadOptions, never, "onProgress">>();
same<Matches<Web.AskOptions, Phone.AskOptions, never, never, never>>();
same<Matches<Web.ChatOptions, Phone.ChatOptions, never, never, "messages">>();
same<Matches<Web.PastMessage, Phone.PastMessage, never, never, "images">>();
same<Matches<Web.Answer, Phone.Answer, MissingOfAnswer, never, never>>();
same<Matches<Web.ModelInfo, Phone.ModelInfo, MissingOfInfo, never, never>>();
same<Matches<Web.LoadProgress, Phone.LoadProgress, "cachedBytes", never, "phase">>();
same<Same<Exclude<Phone.LoadProgress["phase"], "download">, Web.LoadProgress["phase"]>>();
same<Same<Web.ChatMessage, Phone.ChatMessage>>();
same<Same<Web.RawImage, Phone.RawImage>>();
same<Same<Web.ResponseFormat, Phone.ResponseFormat>>();
same<Same<Web.TokenLogprob, Phone.TokenLogprob>>();
same<Same<Web.Timings, Phone.Timings>>();
same<Same<Web.Usage, Phone.Usage>>();
same<Same<Web.ErrorCode, Phone.ErrorCode>>();
same<Same<typeof Web.TinyVLMError, typeof Phone.TinyVLMError>>();

// Methods: of what they take and give the types differ as above, their number and order not.
type Model = Web.TinyVLM;
same<Matches<Model, Phone.TinyVLM, MissingOfModel, never, "ask" | "chat" | "info">>();
same<
  Matches<
    typeof Web.TinyVLM,
    typeof Phone.TinyVLM,
    MissingStatics,
    never,
    "load" | "cache" | "prototype"
  >
>();
same<Matches<typeof Web.TinyVLM.cache, Phone.DownloadCache, MissingOfCache, never, "delete">>();
same<Matches<Web.Chat, Phone.Chat, never, never, "ask">>();
same<Matches<Web.AnswerStream, Phone.AnswerStream, never, never, "then" | "catch" | "finally">>();
