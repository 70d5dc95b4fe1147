// An editor with the YAML language server: does the schema that `init` writes complete and check?
//
//   node check.mjs SERVER PROGRAM
//
// SERVER is the server's script, PROGRAM is ess-callbacks. Speaks the language server protocol over a
// pipe, as an editor does, and says each thing that is not as expected.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [server, program] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "ess-callbacks-editor-"));
const child = spawn(process.execPath, [server, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });

const waiting = new Map();
const published = new Map();
let received = Buffer.alloc(0);
let number = 0;

function send(message) {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function ask(method, params) {
  number += 1;
  send({ id: number, method, params });
  return new Promise((resolve) => waiting.set(number, resolve));
}

// What the server asks an editor: its settings, and leave to register this and that.
const settings = { yaml: { validate: true, completion: true, hover: true, schemaStore: { enable: false } } };
function answer({ id, method, params }) {
  const section = ({ section }) => settings[section] ?? null;
  send({ id, result: method === "workspace/configuration" ? params.items.map(section) : null });
}

function take(message) {
  if (message.method && message.id !== undefined) {
    answer(message);
  } else if (message.method === "textDocument/publishDiagnostics") {
    const { uri, diagnostics } = message.params;
    published.get(uri)?.(diagnostics);
  } else if (waiting.has(message.id)) {
    waiting.get(message.id)(message.result);
    waiting.delete(message.id);
  }
}

child.stdout.on("data", (piece) => {
  received = Buffer.concat([received, piece]);
  for (;;) {
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(received.subarray(0, end).toString())[1]);
    if (received.length < end + 4 + length) return;
    const body = received.subarray(end + 4, end + 4 + length).toString();
    received = received.subarray(end + 4 + length);
    take(JSON.parse(body));
  }
});

let documents = 0;
// Opens a text as a file beside the schema; gives its address and what is wrong with it.
function open(text) {
  documents += 1;
  const uri = pathToFileURL(join(folder, `callbacks${documents}.yaml`)).href;
  const diagnostics = new Promise((resolve) => published.set(uri, resolve));
  send({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: "yaml", version: 1, text } } });
  return { uri, diagnostics };
}

// The labels offered at the mark `‸` of a text.
async function completions(marked) {
  const before = marked.split("‸")[0].split("\n");
  const { uri, diagnostics } = open(marked.replace("‸", ""));
  await diagnostics;
  const position = { line: before.length - 1, character: before.at(-1).length };
  const found = await ask("textDocument/completion", { textDocument: { uri }, position });
  return (found.items ?? found).map((item) => item.label);
}

const problems = [];
let checks = 0;
function expect(what, holds, found) {
  checks += 1;
  if (!holds) problems.push(`${what}: ${JSON.stringify(found)}`);
}

const HEAD = "# yaml-language-server: $schema=callbacks.schema.json\nversion: 1\n";
const ACME = `${HEAD}environment: test
defaults: { operator: yDw6yUUgyg3caowzUx4GQptRKfMnJqX8 }
organizations:
  acme:
    callbacks:
      - url: https://hooks.acme.example/esign
        `;

async function check() {
  execFileSync(program, ["-f", join(folder, "callbacks.yaml"), "init"]);
  await ask("initialize", { processId: process.pid, rootUri: null, capabilities: {} });
  send({ method: "initialized", params: {} });

  const template = readFileSync(join(folder, "callbacks.yaml"), "utf8");
  const placeholder = template.split("\n").findIndex((line) => line.includes("https://<host>"));
  const unfit = await open(template).diagnostics;
  expect("a placeholder of init is marked", unfit.some((one) => one.range.start.line === placeholder), unfit);
  const filled = template.replace("<UserId>", "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8").replace("<host>", "hooks.acme.example");

  for (const [file, text] of [["init", filled], ["callbacks.yaml.example", readFileSync("callbacks.yaml.example", "utf8")]]) {
    const found = await open(text.startsWith("# yaml-language-server:") ? text : HEAD.split("\n")[0] + "\n" + text).diagnostics;
    expect(`nothing is wrong with the file of ${file}`, found.length === 0, found);
  }

  const wrong = await open(`${ACME}kye: { env: ACME_CALLBACK_KEY }\n`).diagnostics;
  expect("a wrong key is marked", wrong.some((one) => one.message.includes("kye") && one.range.start.line === 8), wrong);
  const literal = await open(`${ACME}key: 8DD3B29CE10D469D8978393074A767FD\n`).diagnostics;
  expect("a literal secret is marked", literal.some((one) => one.range.start.line === 8), literal);
  const place = await open(ACME.replace("environment: test", "environment: staging")).diagnostics;
  expect("a wrong environment is marked", place.some((one) => one.range.start.line === 2), place);

  const inside = await completions(`${ACME}‸\n`);
  for (const key of ["key", "token", "protect", "description"]) {
    expect(`${key} is offered in a callback`, inside.includes(key), inside);
  }
  const first = await completions(ACME.replace(/      - url: .*\n *$/, "      - ‸\n"));
  expect("url is offered at the start of a callback", first.includes("url"), first);
  const top = await completions(`${HEAD}‸\n`);
  for (const key of ["environment", "defaults", "accounts", "organizations"]) {
    expect(`${key} is offered at the top`, top.includes(key), top);
  }
  const organization = await completions(ACME.replace(/    callbacks:[^]*$/, "    ‸\n"));
  for (const key of ["callbacks", "absent", "proxy_organization_id", "operator", "account", "app_id", "suspend"]) {
    expect(`${key} is offered in an organization`, organization.includes(key), organization);
  }
  const values = await completions(`${HEAD}environment: ‸\n`);
  expect("environments are offered", values.includes("production") && values.includes("test"), values);

  const { uri, diagnostics } = open(`${ACME}protect: true\n`);
  await diagnostics;
  const hover = await ask("textDocument/hover", { textDocument: { uri }, position: { line: 8, character: 10 } });
  expect("a key explains itself", JSON.stringify(hover ?? null).includes("Never delete it"), hover);
}

// A server that does not answer must not keep the gate waiting.
const deadline = setTimeout(() => {
  console.error("the language server does not answer");
  process.exit(1);
}, 120_000);
try {
  await check();
} finally {
  clearTimeout(deadline);
  child.kill();
  rmSync(folder, { recursive: true });
}
for (const problem of problems) console.error(problem);
console.log(`${checks - problems.length} passed, ${problems.length} failed`);
process.exitCode = problems.length === 0 ? 0 : 1;
