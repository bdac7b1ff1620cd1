// live.js - what the server does now: plots of the last two minutes, and the requests under way.
//
// Asks each second while the panel is open. Counters become rates between two looks.
import { call } from "./api.js";

const SAMPLES = 120;
const sum = (list, key) => list.reduce((n, m) => n + (m[key] ?? 0), 0);
// The mean of what a histogram gained between two looks; null when nothing was added.
function gained(now, before, key) {
  const total = (models) => models.reduce((t, m) => {
    const h = m[key] ?? { count: 0, mean: 0 };
    return { n: t.n + h.count, s: t.s + h.count * h.mean };
  }, { n: 0, s: 0 });
  const a = total(before), b = total(now);
  return b.n > a.n ? (b.s - a.s) / (b.n - a.n) : null;
}
const rate = (now, before, key, s) => Math.max(0, sum(now, key) - sum(before, key)) / s;

// Each plot has one or two lines: a name, and a value from this look and the last.
const plots = [
  { title: "Batch", unit: "", lines: [["running", (n) => sum(n, "requests_running")], ["waiting", (n) => sum(n, "requests_waiting")]] },
  { title: "Tokens per second", unit: "", lines: [["answers", (n, b, s) => rate(n, b, "generated_tokens", s)], ["prompts", (n, b, s) => rate(n, b, "prompt_tokens", s) - rate(n, b, "cached_tokens", s)]] },
  { title: "Cache", unit: " %", top: 100, lines: [["in use", (n) => 100 * sum(n, "kv_pages_used") / (sum(n, "kv_pages") || 1)], ["remembered", (n) => 100 * sum(n, "kv_pages_remembered") / (sum(n, "kv_pages") || 1)]] },
  { title: "Latency", unit: " ms", lines: [["first token", (n, b) => 1000 * gained(n, b, "time_to_first_token_seconds") || null], ["each next", (n, b) => 1000 * gained(n, b, "time_per_output_token_seconds") || null]] },
].map((p) => ({ ...p, values: p.lines.map(() => []) }));

let timer = 0, last = null;
const $ = (id) => document.getElementById(id);
const short = (v) => (v === null || v === undefined ? "–" : v >= 100 || Number.isInteger(v) ? v.toFixed(0) : v.toFixed(v >= 10 ? 1 : 2));

function svg(name, attributes) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
}

// A line over the last samples, newest at the right; gaps where there was nothing to measure.
function path(values, top) {
  let d = "", down = false;
  values.forEach((v, i) => {
    if (v === null) { down = false; return; }
    const x = SAMPLES - values.length + i, y = 98 - 94 * Math.min(1, v / top);
    d += `${down ? "L" : "M"}${x} ${y.toFixed(1)}${down ? "" : `h0.5`}`;
    down = true;
  });
  return d;
}

function drawPlot(p) {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  const top = p.top ?? Math.max(1, ...p.values.flat().filter((v) => v !== null));
  const title = caption.appendChild(document.createElement("div")), legend = caption.appendChild(document.createElement("div"));
  title.appendChild(document.createElement("b")).textContent = p.title;
  title.append(` 0 to ${short(top)}${p.unit}`);
  const box = svg("svg", { viewBox: `0 0 ${SAMPLES} 100`, preserveAspectRatio: "none", role: "img", "aria-label": p.title });
  p.lines.forEach(([name], i) => {
    const kind = "ab"[i], swatch = legend.appendChild(document.createElement("span"));
    swatch.className = "swatch";
    swatch.style.background = `var(${i ? "--plot-2" : "--mark"})`;
    legend.append(` ${name} `);
    legend.appendChild(document.createElement("b")).textContent = `${short(p.values[i].at(-1))}${p.unit}`;
    box.append(svg("path", { class: kind, d: path(p.values[i], top) }));
  });
  figure.append(caption, box);
  return figure;
}

async function drawRequests() {
  const { data } = await (await call("v1/requests")).json();
  const rows = data.map((r) => {
    const tr = document.createElement("tr");
    for (const v of [r.model, r.state, r.prompt_tokens, r.generated_tokens, short(r.age_ms / 1000)])
      tr.insertCell().textContent = v;
    const cancel = tr.insertCell().appendChild(document.createElement("button"));
    cancel.textContent = "cancel";
    cancel.addEventListener("click", () => call(`v1/requests/${encodeURIComponent(r.id)}`, { method: "DELETE" }).catch(() => {}));
    return tr;
  });
  $("requests").tBodies[0].replaceChildren(...rows);
  $("requests").hidden = rows.length === 0;
}

async function look() {
  try {
    const now = await (await call("metrics", { headers: { Accept: "application/json" } })).json();
    const s = last ? now.uptime_seconds - last.uptime_seconds : 1, before = last ?? now;
    for (const p of plots)
      p.lines.forEach(([, value], i) => {
        p.values[i].push(value(now.models, before.models, s > 0 ? s : 1));
        if (p.values[i].length > SAMPLES) p.values[i].shift();
      });
    last = now;
    $("plots").replaceChildren(...plots.map(drawPlot));
    await drawRequests();
    $("live-note").textContent = `${now.requests.total} requests, ${sum(now.models, "generated_tokens")} tokens since the start`
      + `; ${now.cache.hit_rate_percent.toFixed(0)} % of prompts began like one before. A look each second.`;
  } catch (e) {
    $("live-note").textContent = e.message;
  }
  if (timer) timer = setTimeout(look, 1000);
}

// Begins or ends looking.
export function setLive(on) {
  if (on === (timer !== 0)) return;
  clearTimeout(timer);
  timer = on ? setTimeout(look, 0) : 0;
}
