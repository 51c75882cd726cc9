// The contract, read from /openapi.json and laid out to be read.

import { example, fields, h, nameOf, prose, row, typeOf } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

const method = (name) => h("span", { class: "method", "data-method": name }, name);

function paragraphs(text) {
  return text
    .trim()
    .split("\n\n")
    .map((part) => h("p", {}, ...prose(part)));
}

function copyable(text) {
  const button = h("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return h("div", { class: "copy" }, h("pre", { tabindex: "0" }, text), button);
}

function parameters(operation) {
  if (!operation.parameters) return [];
  const rows = operation.parameters.map((each) =>
    row(each.name, each.schema, each.required, each.description ?? (each.in === "path" ? "In the path." : undefined)),
  );
  return [h("h4", {}, "Parameters"), h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, ...rows)))];
}

function content(document, media) {
  return Object.entries(media).flatMap(([type, { schema, examples }]) => {
    const named = schema?.$ref && document.components.schemas[nameOf(schema.$ref)];
    const shown = named?.examples?.[0];
    const words = schema ? typeOf(schema) : ["bytes"];
    const line = h("p", {}, h("code", {}, type), " ", ...(schema && schema.type !== "string" ? words : []));
    return [line, shown !== undefined && !examples ? example(shown) : null];
  });
}

function body(document, operation) {
  if (!operation.requestBody) return [];
  const { content: media, required } = operation.requestBody;
  const tables = Object.values(media)
    .filter(({ schema }) => schema?.$ref)
    .map(({ schema }) => fields(document.components.schemas[nameOf(schema.$ref)]));
  return [h("h4", {}, required ? "Body" : "Body, optional"), ...content(document, media), ...tables];
}

function response(document, [status, found]) {
  const headers = Object.entries(found.headers ?? {}).filter(([, header]) => !header.$ref);
  return h(
    "details",
    {},
    h("summary", {}, h("span", { class: "status" }, status), " ", ...prose(found.description)),
    ...headers.map(([name, header]) => h("p", {}, h("code", {}, name), ` ${header.description}`)),
    ...content(document, found.content ?? {}),
    ...Object.values(found.content?.["application/json"]?.examples ?? {}).map(({ $ref }) =>
      example(document.components.examples[nameOf($ref)].value),
    ),
  );
}

function call(document, { path, name, operation }) {
  const role = operation["x-role"];
  return h(
    "article",
    { id: operation.operationId },
    h(
      "header",
      {},
      h("h3", {}, operation.summary),
      h("span", { class: "role" }, role ? `needs ${role}` : "for everybody"),
    ),
    h("p", { class: "call" }, method(name), " ", h("span", { class: "path" }, path)),
    ...(operation.description ? paragraphs(operation.description) : []),
    ...parameters(operation),
    ...body(document, operation),
    h("h4", {}, "Try it"),
    ...operation["x-codeSamples"].map(({ source }) => copyable(source)),
    h("h4", {}, "Answers"),
    ...Object.entries(operation.responses).map((each) => response(document, each)),
  );
}

function schema([name, found]) {
  return h(
    "article",
    { id: `schema-${name}` },
    h("h3", {}, name),
    ...(found.description ? paragraphs(found.description) : []),
    fields(found),
  );
}

function calls(document) {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    METHODS.filter((name) => operations[name]).map((name) => ({
      path,
      name: name.toUpperCase(),
      operation: operations[name],
    })),
  );
}

function entry({ path, name, operation }) {
  const words = `${name} ${path} ${operation.summary}`.toLowerCase();
  return h(
    "li",
    { "data-words": words },
    h("a", { href: `#${operation.operationId}`, title: path }, method(name), h("span", { class: "text" }, operation.summary)),
  );
}

function filter(index, wanted) {
  for (const group of index.children) {
    let any = false;
    for (const item of group.querySelectorAll("li")) {
      item.hidden = !item.dataset.words.includes(wanted.toLowerCase());
      any ||= !item.hidden;
    }
    group.hidden = !any;
  }
}

function show(contract) {
  const main = document.getElementById("main");
  const index = document.getElementById("index");
  const every = calls(contract);
  document.getElementById("version").textContent = contract.info.version;
  main.replaceChildren(h("h1", {}, `${contract.info.title} API`), ...paragraphs(contract.info.description));
  for (const tag of contract.tags) {
    const own = every.filter(({ operation }) => operation.tags.includes(tag.name));
    main.append(
      h(
        "section",
        { "aria-label": tag.name },
        h("h2", { id: `tag-${tag.name}` }, tag.name),
        h("p", { class: "lead" }, tag.description),
        ...own.map((each) => call(contract, each)),
      ),
    );
    index.append(h("section", {}, h("h2", {}, tag.name), h("ul", {}, ...own.map(entry))));
  }
  main.append(h("section", {}, h("h2", { id: "schemas" }, "schemas"), ...Object.entries(contract.components.schemas).map(schema)));
  document.getElementById("filter").addEventListener("input", (event) => filter(index, event.target.value));
  // The place that the address names was not there when the browser looked for it.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  show(await answer.json());
} catch (error) {
  document.getElementById("state").textContent = `The contract cannot be read: ${error.message}`;
}
