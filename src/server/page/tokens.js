// tokens.js - an answer's tokens with their probabilities, and what else might have been said.

// Tokens need not be whole characters: one that ends inside a character shows it with the next.
export function tokenSpans(tokens) {
  const out = document.createElement("div");
  const decoder = new TextDecoder();
  out.className = "tokens";
  tokens.forEach((t, i) => {
    const text = t.bytes ? decoder.decode(new Uint8Array(t.bytes), { stream: true }) : t.token;
    const span = document.createElement("span");
    span.className = "token";
    span.tabIndex = -1;
    span.dataset.i = i;
    span.textContent = text;
    span.style.setProperty("--doubt", (1 - Math.exp(t.logprob)).toFixed(3));
    out.append(span);
  });
  return out;
}

const visible = (text) => text.replaceAll("\n", "⏎").replaceAll("\t", "⇥");

function row(table, t, chosen) {
  const p = Math.exp(t.logprob), tr = table.insertRow();
  if (chosen) tr.className = "chosen";
  tr.insertCell().textContent = visible(t.token);
  tr.insertCell().textContent = `${(100 * p).toFixed(p < 0.001 ? 3 : 1)} %`;
  const bar = tr.insertCell().appendChild(document.createElement("div"));
  bar.className = "bar";
  bar.style.width = `${Math.max(1, 100 * p)}%`;
}

// Shows tip beside the span: the chosen token among its alternatives.
export function showTip(tip, span, token) {
  const table = document.createElement("table");
  const top = token.top_logprobs ?? [];
  const same = (a) => a.token === token.token && Math.abs(a.logprob - token.logprob) < 1e-6;
  top.forEach((t) => row(table, t, same(t)));
  if (!top.some(same)) row(table, token, true);
  tip.replaceChildren(table);
  tip.hidden = false;
  const at = span.getBoundingClientRect(), size = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(at.left, innerWidth - size.width - 4))}px`;
  tip.style.top = `${at.bottom + size.height + 6 < innerHeight ? at.bottom + 6 : at.top - size.height - 6}px`;
}
