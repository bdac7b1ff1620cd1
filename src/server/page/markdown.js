// markdown.js - the little Markdown that models write, as elements. Text only ever becomes text
// nodes: nothing that a model says can be markup.

function inline(parent, text) {
  const pattern = /(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*/g;
  let at = 0;
  for (const m of text.matchAll(pattern)) {
    parent.append(text.slice(at, m.index));
    const element = document.createElement(m[1] ? "code" : m[3] ? "strong" : "em");
    element.textContent = m[2] ?? m[3] ?? m[4];
    parent.append(element);
    at = m.index + m[0].length;
  }
  parent.append(text.slice(at));
}

function block(parent, lines) {
  const text = lines.join("\n");
  if (!text.trim()) return;
  const heading = /^#{1,6} (.*)$/.exec(text);
  const item = /^(?:[-*]|\d+[.)]) /;
  if (heading) {
    inline(parent.appendChild(document.createElement("h3")), heading[1]);
  } else if (lines.every((l) => item.test(l) || /^\s{2,}/.test(l)) && item.test(lines[0])) {
    const list = parent.appendChild(document.createElement(/^\d/.test(lines[0]) ? "ol" : "ul"));
    for (const line of lines)
      if (item.test(line)) inline(list.appendChild(document.createElement("li")), line.replace(item, ""));
      else inline(list.lastChild, `\n${line.trim()}`);
  } else {
    inline(parent.appendChild(document.createElement("p")), text);
  }
}

export function markdown(text) {
  const out = document.createDocumentFragment();
  let lines = [], code = null;
  const flush = () => { block(out, lines); lines = []; };
  for (const line of text.split("\n")) {
    const fence = /^\s*```/.test(line);
    if (code !== null && fence) {
      const pre = out.appendChild(document.createElement("pre"));
      pre.appendChild(document.createElement("code")).textContent = code;
      code = null;
    } else if (code !== null) {
      code += code ? `\n${line}` : line;
    } else if (fence) {
      flush();
      code = "";
    } else if (!line.trim() || /^#{1,6} /.test(line)) {
      flush();
      if (line.trim()) block(out, [line]);
    } else {
      lines.push(line);
    }
  }
  flush();
  if (code !== null) { // the fence is still open
    const pre = out.appendChild(document.createElement("pre"));
    pre.appendChild(document.createElement("code")).textContent = code;
  }
  return out;
}
