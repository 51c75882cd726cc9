// JSON Schemas, as OpenAPI 3.1 has them, in words and tables.

/** An element with attributes and children; strings become text, and null is left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** Text whose `quoted` parts are code. */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}

export const nameOf = (ref) => ref.slice(ref.lastIndexOf("/") + 1);

const link = (ref) => h("a", { href: `#schema-${nameOf(ref)}` }, nameOf(ref));

/** The type of a value in a few words, with links to the schemas that it names. */
export function typeOf(schema) {
  if (schema.$ref) return [link(schema.$ref)];
  if ("const" in schema) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(" | ")];
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.flatMap((each, index) => (index ? [" | ", ...typeOf(each)] : typeOf(each)));
  if (schema.type === "array") {
    return schema.items ? ["list of ", ...typeOf(schema.items)] : [`list of ${schema.prefixItems?.length ?? "any"}`];
  }
  if (schema.type === "object" && schema.additionalProperties?.constructor === Object) {
    return ["object of ", ...typeOf(schema.additionalProperties)];
  }
  if (schema.contentMediaType) return ["file"];
  return [schema.type ?? "any"];
}

/** What a value must keep to, besides its type. */
function limits(schema) {
  const found = [];
  const say = (key, words) => {
    if (schema[key] !== undefined) found.push(`${words} ${JSON.stringify(schema[key])}`);
  };
  say("minimum", "at least");
  say("exclusiveMinimum", "above");
  say("maximum", "at most");
  say("exclusiveMaximum", "below");
  say("minLength", "characters: at least");
  say("maxLength", "characters: at most");
  say("minItems", "entries: at least");
  say("maxItems", "entries: at most");
  if (schema.default !== null && schema.default !== "") say("default", "default");
  return found.join(", ");
}

/** One row: a name, its type and limits, what it says. */
export function row(name, schema, required, description = schema.description) {
  const rules = limits(schema);
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      h("code", {}, name),
      h("span", { class: "type" }, ...typeOf(schema), rules ? ` (${rules})` : null, required ? null : ", optional"),
    ),
    h("td", {}, description ? h("p", {}, ...prose(description)) : null),
  );
}

/** The fields of an object, or the choices of a union. */
export function fields(schema) {
  if (!schema.properties) return h("p", {}, ...typeOf(schema));
  const rows = Object.entries(schema.properties).map(([name, each]) =>
    row(name, each, schema.required?.includes(name) ?? false),
  );
  if (!rows.length) return h("p", {}, "No fields.");
  return h("div", { class: "scroll" }, h("table", {}, h("tbody", {}, ...rows)));
}

/** An example as it is on the wire. */
export const example = (value) => h("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
