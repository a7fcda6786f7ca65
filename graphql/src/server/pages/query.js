"use strict";
// The query page: an editor, an answer and the schema's documentation. No library, no other host.

const el = (id) => document.getElementById(id);
const query = el("query"), variables = el("variables"), answer = el("answer"), note = el("note");

const EXAMPLES = {
  "Status": "{\n  status { chain last lastSpec nodeFinalized lag following }\n  availableRange { first last blockCount }\n}",
  "Newest blocks": "{\n  blocks(first: 5) {\n    nodes { number hash timestampMs specVersion extrinsicCount eventCount }\n    pageInfo { endCursor hasNextPage }\n  }\n}",
  "Extrinsics of a block": "{\n  block {\n    number\n    extrinsics {\n      totalCount\n      nodes {\n        index hash signer success fee\n        call { pallet name args }\n        nestedCalls { path origin outcome call { pallet name } }\n        error { pallet name docs }\n      }\n    }\n  }\n}",
  "Events by name": "query Events($block: Int) {\n  block(number: $block) {\n    number\n    events(pallet: \"SubtensorModule\", first: 20) {\n      totalCount\n      nodes { index phase extrinsicIndex pallet name fields }\n    }\n  }\n}",
  "Subnets": "{\n  subnets {\n    stamp { block specVersion }\n    netuid tokenSymbol neuronCount tempo lastEpochBlock mechanismCount owner\n    items(names: [\"Kappa\", \"MaxAllowedUids\"]) { name value stored changedAt }\n  }\n}",
  "Metagraph in the past": "{\n  metagraph(netuid: 1, asOf: { blocksBehindHead: 10 }) {\n    stamp { block hash specVersion finalized }\n    neuronCount\n    neurons(first: 16) {\n      uid hotkey incentive incentiveNormalized dividends emission validatorPermit lastUpdate\n      axon { ipText port }\n    }\n  }\n}",
  "Weights": "{\n  weights(netuid: 1) {\n    stamp { block }\n    rowCount\n    rows(first: 8) { uid changedAt entries { uid value valueNormalized } }\n  }\n}",
  "Is an epoch right?": "{\n  verificationSummary(netuid: 1) { epochs exact differs }\n  verifications(netuid: 1, first: 5) {\n    nodes { blockNumber netuid specVersion verdict fields { field compared differing } }\n  }\n}",
  "Who set which weights": "{\n  weightChanges(netuid: 1, uid: 5, first: 3) {\n    nodes { blockNumber uids values setBy { kind } }\n  }\n}",
  "Commits and reveals": "{\n  commits(netuid: 1, first: 5) {\n    nodes { id kind hotkey state stateSince reveals { verified firstEpoch } }\n  }\n}",
  "Stake movements": "{\n  stakeMovements(first: 5) {\n    nodes { blockNumber kind tao alpha from { netuid hotkey coldkey } to { netuid hotkey coldkey } }\n  }\n}",
  "Limits": "{\n  limits { depth complexity fields bodyBytes queryTimeoutMs blocksPerPage itemsPerPage }\n}",
  "Subscription: blocks": "subscription {\n  blocks {\n    __typename\n    ... on BlockCommitted { number hash epochs block { eventCount } }\n    ... on Lagged { missed lastSeen }\n  }\n}",
  "Subscription: epochs": "subscription {\n  epochs {\n    __typename\n    ... on EpochRan { number netuid subnet { tempo neuronCount } }\n    ... on Lagged { missed lastSeen }\n  }\n}",
};

const INTROSPECTION = `{ __schema { queryType { name } subscriptionType { name } types {
  kind name description
  fields { name description args { name description defaultValue type { ...T } } type { ...T } }
  inputFields { name description type { ...T } } enumValues { name description }
  possibleTypes { name } } } }
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }`;

// ---- asking -------------------------------------------------------------------------------

let socket = null;

function say(text, bad) {
  note.textContent = text;
  note.classList.toggle("bad", Boolean(bad));
}

function request() {
  const text = variables.value.trim();
  const body = { query: query.value };
  if (text) body.variables = JSON.parse(text);
  return body;
}

async function post(body) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

// Without comments and strings, so that a word in them does not count.
function isSubscription(text) {
  const bare = text.replace(/"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*/g, " ");
  return /(^|[}\s])subscription\b/.test(bare);
}

async function run() {
  stop();
  let body;
  try {
    body = request();
  } catch (error) {
    say("The variables are not JSON: " + error.message, true);
    return;
  }
  try { localStorage.setItem("yumascope-query", query.value); } catch (_) { /* private mode */ }
  if (isSubscription(body.query)) {
    subscribe(body);
    return;
  }
  say("Asking…");
  const began = performance.now();
  try {
    const { status, text } = await post(body);
    const ms = (performance.now() - began).toFixed(0);
    let shown = text, errors = 0;
    try {
      const parsed = JSON.parse(text);
      errors = (parsed.errors || []).length;
      shown = JSON.stringify(parsed, null, 2);
    } catch (_) { /* shown as it came */ }
    answer.textContent = shown;
    say(`HTTP ${status}, ${ms} ms, ${text.length} bytes` + (errors ? `, ${errors} error(s)` : ""), errors > 0);
  } catch (error) {
    say("The server did not answer: " + error.message, true);
  }
}

function subscribe(body) {
  const url = (location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/graphql/ws";
  const mine = new WebSocket(url, "graphql-transport-ws");
  socket = mine;
  let count = 0;
  answer.textContent = "";
  el("stop").disabled = false;
  say("Connecting to " + url);
  mine.onopen = () => mine.send(JSON.stringify({ type: "connection_init" }));
  mine.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "connection_ack") {
      mine.send(JSON.stringify({ id: "1", type: "subscribe", payload: body }));
      say("Listening on " + url);
    } else if (message.type === "next") {
      count += 1;
      // The newest on top, and no more than a screenful of memory.
      const text = JSON.stringify(message.payload, null, 2) + "\n\n" + answer.textContent;
      answer.textContent = text.slice(0, 200000);
      say(`${count} message(s) on ${url}`, Boolean((message.payload.errors || []).length));
    } else if (message.type === "ping") {
      mine.send(JSON.stringify({ type: "pong" }));
    } else if (message.type === "complete") {
      mine.close(1000);
    }
  };
  mine.onclose = (event) => {
    if (socket !== mine) return;
    socket = null;
    el("stop").disabled = true;
    say(`Closed (${event.code}${event.reason ? ": " + event.reason : ""}) after ${count} message(s)`, event.code !== 1000);
  };
}

function stop() {
  if (socket) {
    const old = socket;
    socket = null;
    old.close(1000);
    el("stop").disabled = true;
    say("Stopped.");
  }
}

// ---- the schema's documentation --------------------------------------------------------------

let types = new Map();

function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function typeText(type, into) {
  if (type.kind === "NON_NULL") {
    typeText(type.ofType, into);
    into.append("!");
  } else if (type.kind === "LIST") {
    into.append("[");
    typeText(type.ofType, into);
    into.append("]");
  } else {
    into.append(typeLink(type.name));
  }
}

function typeLink(name) {
  const link = node("button", "link", name);
  link.type = "button";
  link.onclick = () => { el("search").value = ""; showType(name); };
  return link;
}

function member(item) {
  const box = node("div", "field");
  const sign = node("div", "sign", item.name);
  if (item.type) {
    sign.append(": ");
    typeText(item.type, sign);
  }
  box.append(sign);
  if (item.description) box.append(node("p", "", item.description));
  for (const arg of item.args || []) {
    const line = node("div", "arg sign", arg.name + ": ");
    typeText(arg.type, line);
    if (arg.defaultValue !== null) line.append(" = " + arg.defaultValue);
    box.append(line);
    if (arg.description) box.append(node("p", "arg", arg.description));
  }
  return box;
}

function showType(name) {
  const type = types.get(name);
  const docs = el("docs");
  docs.replaceChildren();
  if (!type) return;
  const home = node("button", "link", "all types");
  home.type = "button";
  home.onclick = showAll;
  docs.append(home, node("h3", "", type.name));
  if (type.description) docs.append(node("p", "", type.description));
  for (const item of [...(type.fields || []), ...(type.inputFields || []), ...(type.enumValues || [])]) {
    docs.append(member(item));
  }
  for (const possible of type.possibleTypes || []) {
    const line = node("div", "field sign");
    line.append(typeLink(possible.name));
    docs.append(line);
  }
}

function showAll() {
  const docs = el("docs");
  docs.replaceChildren();
  for (const type of types.values()) {
    const line = node("div", "field");
    line.append(typeLink(type.name));
    if (type.description) line.append(node("p", "", type.description.split(/(?<=\.)\s/)[0]));
    docs.append(line);
  }
}

function search(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return showAll();
  const docs = el("docs");
  docs.replaceChildren();
  let left = 60;
  for (const type of types.values()) {
    for (const item of [...(type.fields || []), ...(type.inputFields || []), ...(type.enumValues || [])]) {
      if (left === 0) return;
      if (!(type.name + "." + item.name).toLowerCase().includes(wanted)) continue;
      const line = node("div", "field sign");
      line.append(typeLink(type.name), "." + item.name);
      if (item.description) line.append(node("p", "", item.description));
      docs.append(line);
      left -= 1;
    }
  }
}

async function loadDocs() {
  try {
    const { text } = await post({ query: INTROSPECTION });
    const schema = JSON.parse(text).data.__schema;
    const roots = [schema.queryType.name, (schema.subscriptionType || {}).name];
    const rank = (type) => (roots.includes(type.name) ? roots.indexOf(type.name) : roots.length);
    const listed = schema.types.filter((type) => !type.name.startsWith("__"));
    listed.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
    types = new Map(listed.map((type) => [type.name, type]));
    showType(roots[0]);
  } catch (_) {
    el("docs").replaceChildren(node("p", "", "The schema is not available here: introspection is switched off or the server does not answer."));
  }
}

// ---- the page ------------------------------------------------------------------------------

function start() {
  const picker = el("examples");
  for (const name of Object.keys(EXAMPLES)) picker.append(new Option(name, name));
  picker.onchange = () => {
    query.value = EXAMPLES[picker.value];
    variables.value = "";
  };
  let stored = null;
  try { stored = localStorage.getItem("yumascope-query"); } catch (_) { /* private mode */ }
  const linked = new URLSearchParams(location.hash.slice(1));
  query.value = linked.get("query") || stored || EXAMPLES["Status"];
  variables.value = linked.get("variables") || "";

  el("run").onclick = run;
  el("stop").onclick = stop;
  el("share").onclick = () => {
    const parts = new URLSearchParams({ query: query.value });
    if (variables.value.trim()) parts.set("variables", variables.value);
    location.hash = parts.toString();
    say("The address bar now links to this query.");
  };
  el("search").oninput = (event) => search(event.target.value);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
      event.preventDefault();
      run();
    }
  });
  loadDocs();
}

start();
