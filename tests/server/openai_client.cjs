// OpenAI's npm package against a server: `node openai_client.cjs BASE_URL FILE SCENARIO` prints what it gave, as JSON.

const { createReadStream, readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { join } = require("node:path");

const { default: OpenAI, toFile } = createRequire(join(__dirname, "../../web/package.json"))("openai");

const [baseURL, path, scenario] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "any", maxRetries: 2 });
const { transcriptions } = client.audio;
const create = (options, request) => transcriptions.create({ model: "whisper-1", file: createReadStream(path), ...options }, request);

const scenarios = {
  async formats() {
    return {
      json: await create(),
      text: await create({ response_format: "text" }),
      vtt: await create({ response_format: "vtt" }),
      bytes: await create({ file: await toFile(readFileSync(path), "clip.bin") }),
    };
  },
  verbose: () => create({ response_format: "verbose_json", timestamp_granularities: ["word", "segment"], language: "de", temperature: 0.4 }),
  async stream() {
    const events = [];
    for await (const event of await create({ model: "gpt-4o-mini-transcribe", stream: true })) events.push(event);
    return events;
  },
  async models() {
    const ids = [];
    for await (const { id } of client.models.list()) ids.push(id);
    return { ids, found: await client.models.retrieve("org/other") };
  },
  unknown: () => create({ model: "gpt-9" }),
  unheard: async () => create({ file: await toFile(Buffer.from("no sound at all"), "clip.wav") }),
  once: async () => create({ file: await toFile(readFileSync(path), "clip.wav") }),
  async broken() {
    for await (const event of await create({ stream: true })) process.stderr.write(event.type);
  },
  async leave() {
    const leaving = new AbortController();
    process.stdin.once("data", () => leaving.abort());
    return create({}, { signal: leaving.signal });
  },
};

scenarios[scenario]()
  .catch(({ constructor, status, code, param, type, message, requestID }) => ({ raised: constructor.name, status, code, param, type, message, requestID }))
  .then((result) => {
    console.log(JSON.stringify(result));
    process.exit();
  });
