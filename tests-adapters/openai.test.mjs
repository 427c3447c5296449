// tiny-vlm/openai with OpenAI's own client in three majors, LangChain's, and Hono as a server.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { before, describe, test } from "node:test";
import { ChatOpenAI } from "@langchain/openai";
import { AIMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import { Hono } from "hono";
import { openaiFetch, openaiHandler } from "tiny-vlm/openai";
import { samples, vlm } from "./loaded.mjs";
import { sample } from "./samples.mjs";

const [first, second] = [sample(0), sample(1)];

const model = "demo-model";
const text = (of) => ({ type: "text", text: of });
const image = (url) => ({ type: "image_url", image_url: { url, detail: "low" } });
const user = (...content) => ({ role: "user", content });
const aboutFirst = [user(text(first.question), image(first.url))];

for (const major of [5, 6, 7]) {
  describe(`openai ${major}`, () => {
    let client;
    let APIError, APIUserAbortError, BadRequestError, NotFoundError;
    before(async () => {
      const sdk = await import(`openai${major}`);
      ({ APIError, APIUserAbortError, BadRequestError, NotFoundError } = sdk);
      client = new sdk.default({ apiKey: "none", fetch: openaiFetch(vlm) });
    });

    test("chat.completions.create answers about a data: URL", async () => {
      const answer = await client.chat.completions.create({ model, messages: aboutFirst });
      const [{ message, finish_reason: reason, logprobs }] = answer.choices;
      assert.deepEqual(
        [answer.object, answer.model, message.role, message.content, message.refusal, reason],
        ["chat.completion", model, "assistant", first.answer, null, "stop"],
      );
      assert.equal(logprobs, null);
      const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
      assert(prompt_tokens > vlm.info.imageTokens && completion_tokens > 0);
      assert.equal(total_tokens, prompt_tokens + completion_tokens);
      assert.match(answer._request_id, /^req_/);
    });

    test("streams word by word, with usage where it is asked for", async () => {
      const body = { model, messages: aboutFirst, stream: true };
      const pieces = [];
      let last;
      for await (const chunk of await client.chat.completions.create(body)) {
        assert(!("usage" in chunk) && chunk.choices.length === 1);
        pieces.push(chunk.choices[0].delta.content ?? "");
        last = chunk;
      }
      assert.equal(pieces.join(""), first.answer);
      assert.equal(last.choices[0].finish_reason, "stop");
      const chunks = [];
      const withUsage = { ...body, stream_options: { include_usage: true } };
      for await (const chunk of await client.chat.completions.create(withUsage)) chunks.push(chunk);
      const usage = chunks.pop();
      assert.deepEqual(usage.choices, []);
      assert(usage.usage.completion_tokens > 0);
      assert(chunks.every((chunk) => chunk.usage === null));
    });

    test("the streaming helper finds the final content and usage", async () => {
      const runner = client.chat.completions.stream({
        model,
        messages: aboutFirst,
        stream_options: { include_usage: true },
      });
      let shown = "";
      runner.on("content", (piece) => (shown += piece));
      assert.equal(await runner.finalContent(), first.answer);
      assert.equal(shown, first.answer);
      assert((await runner.totalUsage()).completion_tokens > 0);
    });

    test("several images, history, system and developer prompts", async () => {
      const messages = [
        { role: "system", content: [text("Be brief.")] },
        { role: "developer", content: "Be kind." },
        ...aboutFirst,
        { role: "assistant", content: [text(first.answer)] },
        user(image(second.url), text(second.question)),
      ];
      const { choices, usage } = await client.chat.completions.create({ model, messages });
      const chat = vlm.chat({
        system: "Be brief.\n\nBe kind.",
        messages: [
          { role: "user", content: first.question, images: [first.bytes] },
          { role: "assistant", content: first.answer },
        ],
      });
      const same = await chat.ask(second.bytes, second.question);
      assert.deepEqual(
        [choices[0].message.content, usage.prompt_tokens],
        [same.text, same.usage.promptTokens],
      );
      assert.equal(same.usage.encodedImages, 0);
      const two = [user(image(first.url), image(second.url), text("Which two?"))];
      const both = await client.chat.completions.create({ model, messages: two });
      const asked = await vlm.ask([first.bytes, second.bytes], "Which two?");
      assert.equal(both.choices[0].message.content, asked.text);
    });

    test("an image from an http: address", async () => {
      const { choices } = await client.chat.completions.create({
        model,
        messages: [user(text(first.question), image(samples.url(first.image)))],
      });
      assert.equal(choices[0].message.content, first.answer);
      await assert.rejects(
        client.chat.completions.create({
          model,
          messages: [user(image("http://127.0.0.1:1/none.png"))],
        }),
        (error) => error instanceof BadRequestError && error.code === "network",
      );
    });

    test("max_tokens, max_completion_tokens, stop, seed, temperature, top_p, penalties", async () => {
      const ask = async (options) =>
        (await client.chat.completions.create({ model, messages: aboutFirst, ...options }))
          .choices[0];
      for (const limit of [{ max_tokens: 1 }, { max_completion_tokens: 1, max_tokens: null }]) {
        const { message, finish_reason: reason } = await ask(limit);
        assert.equal(reason, "length");
        assert(first.answer.startsWith(message.content));
      }
      const word = first.answer.split(" ")[1];
      for (const stop of [word, [word, "x"]]) {
        const { message, finish_reason: reason } = await ask({ stop });
        assert.deepEqual([message.content.trim(), reason], [first.answer.split(" ")[0], "stop"]);
      }
      assert.equal((await ask({ stop: null })).message.content, first.answer);
      const drawn = { temperature: 2, top_p: 0.99, max_tokens: 12 };
      const once = await ask({ ...drawn, seed: 7 });
      assert.equal((await ask({ ...drawn, seed: 7 })).message.content, once.message.content);
      const others = await Promise.all([1, 2, 3, 4, 5].map(() => ask(drawn)));
      assert(new Set(others.map(({ message }) => message.content)).size > 1, "always the same");
      await ask({ presence_penalty: 1, frequency_penalty: -1, user: "me", metadata: { a: "b" } });
    });

    test("refusals have OpenAI's form and the client's classes", async () => {
      const messages = aboutFirst;
      const cases = [
        [{ n: 2 }, 400, "n", "unsupported_parameter"],
        [{ max_tokens: 0 }, 400, "max_tokens", "invalid_value"],
        [{ temperature: 3 }, 400, "temperature", "invalid_value"],
        [{ tools: [{ type: "function", function: { name: "f" } }] }, 400, "tools"],
        [{ colour: "red" }, 400, "colour", "unknown_parameter"],
        [{ model: "gpt-4o" }, 404, "model", "model_not_found"],
        [{ messages: [user({ type: "input_audio", input_audio: {} })] }, 400],
        [{ messages: [user(image("file:///etc/passwd"))] }, 400],
        [{ messages: [user(image(`data:image/png;base64,${btoa("no image")}`))] }, 400],
        [
          { messages: [user(text("word ".repeat(9000)))] },
          400,
          "messages",
          "context_length_exceeded",
        ],
        [{ top_logprobs: 2 }, 400, "top_logprobs", "invalid_value"],
      ];
      for (const stream of [false, true])
        for (const [change, status, param, code] of cases)
          await assert.rejects(
            client.chat.completions.create({ model, messages, stream, ...change }),
            (error) => {
              assert(error instanceof (status === 404 ? NotFoundError : BadRequestError), error);
              assert.equal(error.status, status);
              assert.equal(error.type, "invalid_request_error");
              if (param) assert.equal(error.param, param);
              if (code) assert.equal(error.code, code);
              return true;
            },
          );
    });

    test("abort, before and in mid-stream; leaving the loop", async () => {
      // 1644 tokens, where nobody ends them.
      const { default: OpenAI } = await import(`openai${major}`);
      const fetch = openaiFetch(vlm, { defaults: { temperature: 50, seed: 1 } });
      const babbling = new OpenAI({ apiKey: "none", fetch });
      const long = { model, messages: [user(text("Hi"))], stream: true };
      const controller = new AbortController();
      controller.abort();
      await assert.rejects(
        babbling.chat.completions.create(long, { signal: controller.signal }),
        (error) => error instanceof APIUserAbortError,
      );
      const midway = new AbortController();
      const stream = await babbling.chat.completions.create(long, { signal: midway.signal });
      let count = 0;
      for await (const _ of stream) if (++count === 3) midway.abort();
      assert(count >= 3 && count < 200, `${count} chunks came`);
      for await (const _ of await babbling.chat.completions.create(long)) break;
      // The model is free again.
      const { choices } = await client.chat.completions.create({ model, messages: aboutFirst });
      assert.equal(choices[0].message.content, first.answer);
    });

    test("models.list and models.retrieve", async () => {
      const ids = [];
      for await (const { id } of client.models.list()) ids.push(id);
      assert.deepEqual(ids, [model]);
      assert.equal((await client.models.retrieve(model)).id, model);
      await assert.rejects(
        client.models.retrieve("other"),
        (error) => error instanceof NotFoundError,
      );
      await assert.rejects(
        client.embeddings.create({ model, input: "x" }),
        (error) => error instanceof APIError && error.status === 404,
      );
    });

    test("responses.create and its stream", async () => {
      const input = [
        {
          role: "user",
          content: [
            { type: "input_text", text: first.question },
            { type: "input_image", image_url: first.url, detail: "auto" },
          ],
        },
      ];
      const answer = await client.responses.create({ model, input, instructions: "Be brief." });
      const direct = await vlm.ask(first.bytes, first.question, { system: "Be brief." });
      assert.equal(answer.output_text, direct.text);
      assert.equal(answer.status, "completed");
      assert.equal(answer.usage.output_tokens, direct.usage.completionTokens);
      const cut = await client.responses.create({ model, input, max_output_tokens: 1 });
      assert.deepEqual(
        [cut.status, cut.incomplete_details],
        ["incomplete", { reason: "max_output_tokens" }],
      );
      const types = [];
      const runner = client.responses.stream({ model, input });
      for await (const { type } of runner) if (type !== types.at(-1)) types.push(type);
      const { output } = await runner.finalResponse();
      assert.equal(output[0].content[0].text, first.answer);
      assert.deepEqual(types, [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
      ]);
      const next = await client.responses.create({
        model,
        input: [...input, ...answer.output, { role: "user", content: "And what else?" }],
      });
      assert(next.output_text.length > 0);
      await assert.rejects(
        client.responses.create({ model, input: "Hi", previous_response_id: "resp_1" }),
        (error) => error instanceof BadRequestError && error.param === "previous_response_id",
      );
    });
  });
}

describe("LangChain", () => {
  const chat = (options = {}) =>
    new ChatOpenAI({
      model,
      apiKey: "none",
      configuration: { fetch: openaiFetch(vlm) },
      ...options,
    });

  test("invoke and stream, with images and history", async () => {
    const messages = [
      new SystemMessage("Be brief."),
      new HumanMessage({ content: aboutFirst[0].content }),
    ];
    const direct = await vlm.ask(first.bytes, first.question, { system: "Be brief." });
    const answer = await chat().invoke(messages);
    assert.equal(answer.content, direct.text);
    assert(answer.usage_metadata.output_tokens > 0);
    let streamed = "";
    let usage;
    for await (const chunk of await chat({ maxTokens: 50 }).stream(messages)) {
      streamed += chunk.content;
      usage = chunk.usage_metadata ?? usage;
    }
    assert.equal(streamed, direct.text);
    assert(usage.input_tokens > 0);
    const next = await chat().invoke([...messages, new AIMessage(answer.text), "And what else?"]);
    assert(next.content.length > 0);
  });

  test("through the Responses API", async () => {
    const messages = [new HumanMessage({ content: aboutFirst[0].content })];
    const answer = await chat({ useResponsesApi: true }).invoke(messages);
    assert.equal(answer.text, first.answer);
  });
});

describe("as a server", () => {
  test("Hono answers OpenAI's client over HTTP, with CORS", async () => {
    const app = new Hono();
    const handle = openaiHandler(vlm, { cors: ["https://app.example"] });
    app.all("/v1/*", (context) => handle(context.req.raw));
    const server = createServer(async (incoming, outgoing) => {
      const chunks = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const gone = new AbortController();
      outgoing.on("close", () => gone.abort());
      const response = await app.fetch(
        new Request(`http://${incoming.headers.host}${incoming.url}`, {
          method: incoming.method,
          headers: incoming.headers,
          signal: gone.signal,
          ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
        }),
      );
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body) for await (const chunk of response.body) outgoing.write(chunk);
      outgoing.end();
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const baseURL = `http://127.0.0.1:${server.address().port}/v1`;
      const { default: OpenAI } = await import("openai6");
      const client = new OpenAI({ apiKey: "none", baseURL });
      const stream = client.chat.completions.stream({ model, messages: aboutFirst });
      assert.equal(await stream.finalContent(), first.answer);
      await assert.rejects(
        client.chat.completions.create({
          model,
          messages: [user(image(samples.url(first.image)))],
        }),
        (error) => error.status === 400 && /does not fetch images/.test(error.message),
      );
      const preflight = await fetch(`${baseURL}/chat/completions`, {
        method: "OPTIONS",
        headers: {
          origin: "https://app.example",
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,x-stainless-os",
        },
      });
      assert.deepEqual(
        [
          preflight.status,
          preflight.headers.get("access-control-allow-origin"),
          preflight.headers.get("access-control-allow-headers"),
        ],
        [204, "https://app.example", "authorization,x-stainless-os"],
      );
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
