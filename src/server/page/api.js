// api.js - talks to the server: JSON calls, and answers as they come.

const keyField = () => document.getElementById("key").value.trim();

// fetch with the API key; an Error with the server's own words when it says no.
export async function call(path, options = {}) {
  const headers = { ...options.headers };
  if (keyField()) headers.Authorization = `Bearer ${keyField()}`;
  if (options.body) headers["Content-Type"] = "application/json";
  const reply = await fetch(path, { ...options, headers });
  if (reply.ok) return reply;
  let text = `${reply.status} ${reply.statusText}`;
  try {
    text = (await reply.json()).error.message;
  } catch { /* no JSON: the status has to do */ }
  const error = new Error(text);
  error.status = reply.status;
  throw error;
}

// The data of each event of an event stream, as JSON, up to [DONE].
export async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    let end;
    while ((end = waiting.indexOf("\n\n")) >= 0) {
      const event = waiting.slice(0, end);
      waiting = waiting.slice(end + 2);
      const data = event.split("\n").filter((l) => l.startsWith("data: ")).map((l) => l.slice(6)).join("\n");
      if (data === "[DONE]") return;
      if (data) yield JSON.parse(data);
    }
  }
}
