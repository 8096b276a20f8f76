/** `/docs`: the OpenAPI document as a page. Plain files of our own, because nothing inline and nothing foreign may run. */
export const DOCS_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Boreas API</title>
<link rel="stylesheet" href="/docs/docs.css">
<script src="/docs/docs.js" defer></script>
</head>
<body>
<header><h1>Boreas API</h1><p id="about">Loading <a href="/openapi.json">/openapi.json</a> ...</p>
<input id="find" type="search" placeholder="Find a call" aria-label="Find a call"></header>
<main id="calls"></main>
</body>
</html>
`;

export const DOCS_CSS = `:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1 { margin: 0; font-size: 1.5rem; } h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; text-transform: capitalize; }
input { width: 100%; padding: .5rem; font: inherit; box-sizing: border-box; }
details { border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 6px; margin: .35rem 0; }
summary { cursor: pointer; padding: .5rem .75rem; display: flex; gap: .75rem; align-items: baseline; flex-wrap: wrap; }
summary code { font-weight: 600; } summary span { opacity: .75; } summary small { margin-left: auto; opacity: .6; }
.method { font: 600 .75rem/1 ui-monospace, monospace; min-width: 3.5rem; }
pre { margin: 0 .75rem .75rem; padding: .75rem; overflow: auto; font-size: .8rem;
  background: color-mix(in srgb, currentColor 6%, transparent); border-radius: 4px; }
h3 { margin: .5rem .75rem .25rem; font-size: .85rem; }
`;

export const DOCS_JS = `"use strict";
const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
// Follows $ref a few levels down, so that a body can be read without looking anything up.
const unfold = (value, api, depth) => {
  if (Array.isArray(value)) return value.map((v) => unfold(v, api, depth));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ref === "string") {
    const target = value.$ref.slice(2).split("/").reduce((at, key) => at?.[key], api);
    return depth > 0 && target ? unfold(target, api, depth - 1) : value.$ref.split("/").at(-1);
  }
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, unfold(v, api, depth)]));
};
const block = (title, value) => [element("h3", title), element("pre", JSON.stringify(value, null, 2))];
const show = (api) => {
  document.getElementById("about").textContent = api.info.description + " Version " + api.info.version + ".";
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, call] of Object.entries(item)) {
      const tag = call.tags?.[0] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), { path, method, call }]);
    }
  }
  const calls = document.getElementById("calls");
  for (const [tag, list] of groups) {
    const section = element("section");
    section.append(element("h2", tag));
    for (const { path, method, call } of list) {
      const box = element("details");
      const line = element("summary");
      line.append(element("span", method.toUpperCase(), "method"), element("code", path),
        element("span", call.summary ?? ""), element("small", call["x-boreas-role"] ?? ""));
      box.append(line);
      box.addEventListener("toggle", () => {
        if (!box.open || box.childElementCount > 1) return;
        if (call.parameters) box.append(...block("Parameters", unfold(call.parameters, api, 1)));
        const body = call.requestBody?.content?.["application/json"]?.schema;
        if (body) box.append(...block("Body", unfold(body, api, 3)));
        for (const [status, answer] of Object.entries(call.responses)) {
          const schema = answer.content?.["application/json"]?.schema;
          box.append(...block(status + " " + answer.description, schema ? unfold(schema, api, 3) : "no JSON"));
        }
      });
      section.append(box);
    }
    calls.append(section);
  }
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const box of calls.querySelectorAll("details")) {
      box.hidden = !box.firstElementChild.textContent.toLowerCase().includes(wanted);
    }
  });
};
fetch("/openapi.json").then((answer) => answer.json()).then(show, (error) => {
  document.getElementById("about").textContent = "The document could not be read: " + error;
});
`;
