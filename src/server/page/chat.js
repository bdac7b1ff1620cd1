// chat.js - the conversation: what was said, what is being said, and the settings.
//
// State is one list of messages; each has one element in the log, drawn anew from the message when
// it changes. A message of the assistant: {role, content, reasoning, calls, tokens, note, error}.
import { call, events } from "./api.js";
import { markdown } from "./markdown.js";
import { tokenSpans, showTip } from "./tokens.js";
import { setLive } from "./live.js";

const $ = (id) => document.getElementById(id);
const SETTINGS = ["system", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens",
  "seed", "shape", "schema"];
let messages = [];
let running = null; // an AbortController while an answer is being made

// ---- what is kept between visits ----------------------------------------------------------------

function keep() {
  const settings = Object.fromEntries(SETTINGS.map((id) => [id, $(id).value]));
  settings.probabilities = $("probabilities").checked;
  settings.model = $("model").value;
  localStorage.setItem("isobit.settings", JSON.stringify(settings));
  localStorage.setItem("isobit.messages", JSON.stringify(messages.map(({ tokens, ...m }) => m)));
  sessionStorage.setItem("isobit.key", $("key").value);
}

function recall() {
  let settings = {};
  try {
    settings = JSON.parse(localStorage.getItem("isobit.settings")) ?? {};
    messages = JSON.parse(localStorage.getItem("isobit.messages")) ?? [];
  } catch { /* what cannot be read is forgotten */ }
  for (const id of SETTINGS) if (typeof settings[id] === "string") $(id).value = settings[id];
  $("probabilities").checked = settings.probabilities === true;
  $("key").value = sessionStorage.getItem("isobit.key") ?? "";
  return settings.model;
}

// ---- drawing ------------------------------------------------------------------------------------

function button(text, title, act) {
  const b = document.createElement("button");
  b.type = "button";
  b.textContent = text;
  b.title = title;
  b.addEventListener("click", act);
  return b;
}

function drawAssistant(m, body) {
  if (m.reasoning) {
    const details = document.createElement("details");
    details.className = "reasoning";
    details.open = !m.content;
    details.appendChild(document.createElement("summary")).textContent = "Reasoning";
    details.appendChild(document.createElement("div")).textContent = m.reasoning;
    body.append(details);
  }
  if ($("probabilities").checked && m.tokens?.length && !m.reasoning) body.append(tokenSpans(m.tokens));
  else body.append(markdown(m.content));
  for (const c of m.calls ?? []) {
    const box = body.appendChild(document.createElement("div"));
    box.className = "call";
    box.appendChild(document.createElement("code")).textContent = `${c.name}(${c.arguments})`;
  }
  if (m.error) {
    const p = body.appendChild(document.createElement("p"));
    p.className = "error";
    p.textContent = m.error;
  }
}

function drawUnder(m, i) {
  const under = document.createElement("div");
  under.className = "under";
  if (m.note) under.append(m.note);
  if (m.role === "assistant") {
    under.append(button("copy", "Copy the answer", () => navigator.clipboard?.writeText(m.content)));
    if (i === messages.length - 1) under.append(button("regenerate", "Answer again (Alt+R)", regenerate));
  } else {
    under.append(button("edit", "Take back from here", () => edit(i)));
  }
  return under;
}

function draw(i) {
  const m = messages[i], isRunning = running !== null && i === messages.length - 1;
  const li = document.createElement("li");
  li.className = `${m.role}${isRunning ? " running" : ""}`;
  const body = li.appendChild(document.createElement("div"));
  body.className = "body";
  if (m.role === "user") body.textContent = m.content;
  else drawAssistant(m, body);
  if (!isRunning) li.append(drawUnder(m, i));
  const log = $("log"), atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  if (log.children[i]) log.children[i].replaceWith(li);
  else log.append(li);
  if (atEnd || m.role === "user") log.scrollTop = log.scrollHeight;
}

function drawAll() {
  $("log").replaceChildren();
  messages.forEach((_, i) => draw(i));
}

// ---- asking -------------------------------------------------------------------------------------

const number = (id) => ($(id).value.trim() === "" ? undefined : Number($(id).value));

function request() {
  const body = {
    model: $("model").value || undefined,
    messages: messages.slice(0, -1).filter((m) => m.content).map(({ role, content }) => ({ role, content })),
    stream: true,
    stream_options: { include_usage: true },
    temperature: number("temperature") ?? 0.7,
    // The page chooses, so that it can tell which seed gives this answer again.
    seed: number("seed") ?? Math.floor(Math.random() * 2 ** 32),
  };
  for (const id of ["top_p", "top_k", "min_p", "repetition_penalty", "max_tokens"])
    if (number(id) !== undefined) body[id] = number(id);
  if ($("system").value.trim()) body.messages.unshift({ role: "system", content: $("system").value });
  if ($("probabilities").checked) Object.assign(body, { logprobs: true, top_logprobs: 5 });
  if ($("shape").value === "object") body.response_format = { type: "json_object" };
  if ($("shape").value === "schema")
    body.response_format = { type: "json_schema", json_schema: { name: "answer", schema: JSON.parse($("schema").value) } };
  return body;
}

function take(m, piece) {
  const choice = piece.choices?.[0], delta = choice?.delta ?? {};
  m.content += delta.content ?? "";
  m.reasoning += delta.reasoning_content ?? "";
  for (const c of delta.tool_calls ?? []) {
    m.calls[c.index] ??= { name: "", arguments: "" };
    m.calls[c.index].name += c.function.name ?? "";
    m.calls[c.index].arguments += c.function.arguments ?? "";
  }
  m.tokens.push(...(choice?.logprobs?.content ?? []));
  if (choice?.finish_reason === "length") m.cut = true;
  if (piece.usage) m.usage = piece.usage;
  if (piece.error) throw new Error(piece.error.message);
}

function note(m, seed, began, first) {
  const n = m.usage?.completion_tokens, parts = [];
  if (n) parts.push(`${n} tokens`);
  const answering = (performance.now() - first) / 1000; // too short: most came with the first
  if (n > 1 && first && answering > 0.1) parts.push(`${((n - 1) / answering).toFixed(1)}/s`);
  if (first) parts.push(`first after ${((first - began) / 1000).toFixed(2)} s`);
  if (m.usage?.prompt_tokens_details?.cached_tokens)
    parts.push(`${m.usage.prompt_tokens_details.cached_tokens} of ${m.usage.prompt_tokens} prompt tokens remembered`);
  parts.push(`seed ${seed}`);
  if (m.cut) parts.push("cut at the limit");
  return parts.join(" · ");
}

// Draws at most once a frame, however fast pieces come.
function redrawer(i) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; if (messages[i] && running) draw(i); });
  };
}

async function answer() {
  const m = { role: "assistant", content: "", reasoning: "", calls: [], tokens: [] };
  const i = messages.push(m) - 1, redraw = redrawer(i), began = performance.now();
  let first = 0, body = {};
  running = new AbortController();
  $("send").textContent = "Stop";
  $("send").classList.add("stop");
  draw(i);
  try {
    body = request();
    const reply = await call("v1/chat/completions", {
      method: "POST", body: JSON.stringify(body), signal: running.signal,
    });
    for await (const piece of events(reply)) {
      take(m, piece);
      if (!first && (m.content || m.reasoning || m.calls.length)) first = performance.now();
      redraw();
    }
  } catch (e) {
    if (e.name !== "AbortError") m.error = e.message;
  }
  running = null;
  m.note = note(m, body.seed, began, first);
  $("send").textContent = "Send";
  $("send").classList.remove("stop");
  if (messages[i] === m) draw(i);
  keep();
}

function send(event) {
  event?.preventDefault();
  if (running) {
    running.abort();
    return;
  }
  const text = $("input").value.trim();
  if (!text) return;
  $("input").value = "";
  fit();
  if (messages.length) draw(messages.length - 1);
  messages.push({ role: "user", content: text });
  drawAll();
  answer();
}

function regenerate() {
  if (running || messages.at(-1)?.role !== "assistant") return;
  messages.pop();
  drawAll();
  answer();
}

function edit(i) {
  if (running) running.abort();
  $("input").value = messages[i].content;
  messages.length = i;
  drawAll();
  fit();
  $("input").focus();
  keep();
}

function startNew() {
  if (running) running.abort();
  messages = [];
  drawAll();
  keep();
  $("input").focus();
}

// ---- models -------------------------------------------------------------------------------------

async function loadModels(wanted) {
  try {
    const { data } = await (await call("v1/models")).json();
    const chosen = $("model").value || wanted;
    $("model").replaceChildren(...data.map((m) => new Option(m.state === "ready" ? m.id : `${m.id} (${m.state})`, m.id)));
    if (data.some((m) => m.id === chosen)) $("model").value = chosen;
    $("state").className = "";
    const loading = data.filter((m) => m.state === "loading").length;
    $("state").textContent = loading ? "loading…" : "";
    if (loading) setTimeout(loadModels, 1000, chosen);
  } catch (e) {
    $("state").className = "bad";
    $("state").textContent = e.status === 401 ? "This server wants an API key: see Settings." : e.message;
  }
}

// ---- the frame ----------------------------------------------------------------------------------

function fit() {
  $("input").style.height = "auto";
  $("input").style.height = `${$("input").scrollHeight + 2}px`;
}

// One side panel at a time.
function show(name, on = $(name).hidden) {
  for (const id of ["settings", "live"]) {
    $(id).hidden = id !== name || !on;
    $(`show-${id}`).setAttribute("aria-expanded", String(!$(id).hidden));
  }
  setLive(!$("live").hidden);
}

function turnTheme() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("isobit.theme", document.documentElement.dataset.theme);
}

function overToken(event) {
  const span = event.target.closest?.(".token"), li = span?.closest("li");
  const token = li && messages[[...$("log").children].indexOf(li)]?.tokens?.[span.dataset.i];
  if (token) showTip($("tip"), span, token);
  else $("tip").hidden = true;
}

function onKey(event) {
  if (event.key === "Escape" && running) running.abort();
  else if (event.key === "Escape" && innerWidth <= 800) show("settings", false);
  if (!event.altKey || event.ctrlKey || event.metaKey) return;
  const acts = { n: startNew, s: () => show("settings"), l: () => show("live"), r: regenerate };
  const act = acts[event.key.toLowerCase()];
  if (act) {
    event.preventDefault();
    act();
  }
}

function start() {
  const theme = localStorage.getItem("isobit.theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const wanted = recall();
  $("schema-label").hidden = $("shape").value !== "schema";
  $("composer").addEventListener("submit", send);
  $("input").addEventListener("input", fit);
  $("input").addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) send(e);
  });
  $("new").addEventListener("click", startNew);
  $("show-settings").addEventListener("click", () => show("settings"));
  $("show-live").addEventListener("click", () => show("live"));
  $("theme").addEventListener("click", turnTheme);
  $("settings").addEventListener("change", () => {
    $("schema-label").hidden = $("shape").value !== "schema";
    keep();
    if (!running) drawAll();
  });
  $("key").addEventListener("change", () => loadModels(wanted));
  $("model").addEventListener("change", keep);
  $("log").addEventListener("mouseover", overToken);
  $("log").addEventListener("mouseleave", () => { $("tip").hidden = true; });
  $("log").addEventListener("scroll", () => { $("tip").hidden = true; });
  document.addEventListener("keydown", onKey);
  drawAll();
  loadModels(wanted);
  $("input").focus();
}

start();
