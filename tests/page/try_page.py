"""try_page.py - the web page in a real browser: what a person does with it, and what a hostile page cannot.

usage: try_page.py BUILD/isobit [FOLDER]     FOLDER gets pictures
Needs chromium and chromedriver (Debian: chromium chromium-driver)."""
import http.server
import json
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
from webdriver import Browser  # noqa: E402

pictures = sys.argv[2] if len(sys.argv) > 2 else None
n_passed = 0


def check(ok, what):
    global n_passed
    if not ok:
        raise SystemExit(f"FAILED: {what}")
    n_passed += 1


def picture(b, name):
    if pictures:
        os.makedirs(pictures, exist_ok=True)
        b.picture(f"{pictures}/{name}.png")


class Server:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([sys.argv[1], "serve", "--port", "0", *arguments],
                                        stderr=subprocess.PIPE, text=True)
        self.port = 0
        for line in self.process.stderr:
            found = re.match(r"listening on http://127.0.0.1:(\d+)", line)
            self.port = self.port or (found and int(found[1]))
            if " is ready" in line:
                break
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def close(self):
        self.process.terminate()
        self.process.wait(20)


IDLE = "!document.querySelector('.running') && document.querySelectorAll('.assistant').length == %d"
LAST = "return [...document.querySelectorAll('.assistant .body')].at(-1).innerText"


def say(b, text):
    b.type("#input", text + "\ue007")  # Enter


def talk(b, server):
    b.open(server.url)
    b.wait("document.querySelector('#model').options.length > 0")
    check(b.run("return document.activeElement.id") == "input", "the cursor is in the message field")
    picture(b, "empty")
    b.click("#show-settings")
    b.type("#temperature", "0")
    b.type("#seed", "7")
    b.click("#show-settings")
    say(b, "What is isobit?")
    b.wait(IDLE % 1)
    first = b.run(LAST)
    check(len(first) > 10, "an answer came")
    check("seed 7" in b.run("return document.querySelector('.assistant .under').innerText"), "its seed is said")
    b.click(".assistant .under button:nth-of-type(2)")
    b.wait(IDLE % 1)
    check(b.run(LAST) == first, "the same seed gives the same answer again")
    say(b, "And what is a receipt?")
    b.wait(IDLE % 2)
    picture(b, "chat")
    b.open(server.url)
    b.wait("document.querySelectorAll('#log li').length == 4")
    check(b.run("return document.querySelector('.assistant .body').innerText") == first, "a reload keeps the chat")


def probabilities(b):
    b.click("#new")
    b.click("#show-settings")
    b.click("#probabilities")
    say(b, "What is a token?")
    b.wait(IDLE % 1)
    n = b.run("return document.querySelectorAll('.token').length")
    check(n > 5, "tokens are shown")
    b.hover(".token:nth-child(3)")
    b.wait("!document.querySelector('#tip').hidden")
    rows = b.run("return [...document.querySelectorAll('#tip tr')].map((r) => r.innerText)")
    check(len(rows) >= 5 and any("%" in r for r in rows), "alternatives on hover")
    check(b.run("return document.querySelectorAll('#tip tr.chosen').length") == 1, "the chosen one is marked")
    picture(b, "probabilities")
    b.click("#probabilities")


def shape(b, name, schema=""):
    b.run("""const s = document.querySelector('#shape'), t = document.querySelector('#schema');
             s.value = arguments[0]; t.value = arguments[1];
             s.dispatchEvent(new Event('change', {bubbles: true}));""", name, schema)


def shapes(b):
    """A model that is made to answer with markup: it stays text."""
    evil = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    schema = json.dumps({"type": "object", "properties": {"answer": {"enum": [evil]}}, "required": ["answer"],
                         "additionalProperties": False})
    b.click("#new")
    shape(b, "schema", schema)
    say(b, "Markup?")
    b.wait(IDLE % 1)
    check(json.loads(b.run(LAST)) == {"answer": evil}, "the answer follows the schema")
    check(b.run("return document.querySelectorAll('#log img, #log script').length") == 0, "markup stays text")
    check(b.run("return document.title") == "isobit", "no script ran")
    shape(b, "schema", '{"type": 7}')
    say(b, "Bad schema")
    b.wait(IDLE % 2)
    check("type" in b.run("return document.querySelector('.error').innerText"), "a bad schema's error is shown")


def stopping(b):
    b.click("#new")
    shape(b, "schema", json.dumps({"type": "object", "required": ["answer"], "properties": {
        "answer": {"type": "string", "minLength": 3000}}}))
    say(b, "Tell me everything, at length.")
    b.wait("document.querySelector('#send').textContent == 'Stop'")
    b.type("#input", "\ue00c")  # Escape
    b.wait(IDLE % 1, 5)
    check(b.run("return document.querySelector('#send').textContent") == "Send", "Esc stops")
    shape(b, "")
    b.click(".user .under button")
    check(b.run("return document.querySelector('#input').value").startswith("Tell me"), "edit takes it back")
    check(b.run("return document.querySelectorAll('#log li').length") == 0, "and what followed")


def live(b):
    b.run("document.querySelector('#input').value = ''")
    b.click("#show-live")
    b.wait("document.querySelectorAll('#plots figure').length >= 4")
    say(b, "What is a batch?")
    b.wait(IDLE % 1)
    b.wait("[...document.querySelectorAll('#plots path')].some((p) => (p.getAttribute('d') || '').length > 40)")
    picture(b, "live")


ATTACK = """
<!doctype html><title>elsewhere</title><script>
const tries = {
  read: () => fetch(URL + "v1/models"),
  json: () => fetch(URL + "v1/chat/completions", {method: "POST", headers: {"Content-Type": "application/json"}, body: BODY}),
  plain: () => fetch(URL + "v1/chat/completions", {method: "POST", mode: "no-cors", body: BODY}),
};
const URL = HERE, BODY = JSON.stringify({messages: [{role: "user", content: "x"}], max_tokens: 1});
window.seen = {};
for (const [name, go] of Object.entries(tries))
  go().then((r) => { seen[name] = r.type + r.status; }, () => { seen[name] = "refused"; });
</script>"""


def hostile(server):
    """Pages from elsewhere, one of which has bound its name to this machine."""
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            here = f'"{server.url}"' if "rebound" not in self.path else '"/"'
            text = ATTACK.replace("HERE", here).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments):
            pass

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    b = Browser(arguments=["--host-resolver-rules=MAP elsewhere.test 127.0.0.1"])
    b.open(f"http://elsewhere.test:{other.server_address[1]}/")
    seen = b.wait("Object.keys(window.seen).length == 3 && window.seen")
    check(seen["read"] == "refused" and seen["json"] == "refused", f"a foreign page reads nothing: {seen}")
    check(seen["plain"] == "opaque0", "and sees nothing of what it sends blindly")
    # After rebinding, the foreign name leads to the model's own server: Host gives it away.
    b.open(f"http://elsewhere.test:{server.port}/v1/models")
    check("not this machine" in b.run("return document.body.innerText"), "a rebound name is refused")
    b.close()
    other.shutdown()


def main():
    server = Server()
    try:
        b = Browser()
        talk(b, server)
        probabilities(b)
        shapes(b)
        stopping(b)
        if "--no-live" not in sys.argv: live(b)
        complaints = [c for c in b.complaints() if "status of 400" not in c]  # the bad schema's
        check(complaints == [], f"the console is clean: {complaints}")
        b.close()
        b = Browser(dark=True)
        b.open(server.url)
        say(b, "What is isobit?")
        b.wait(IDLE % 1)
        picture(b, "dark")
        b.close()
        b = Browser(size=(390, 780))
        b.open(server.url)
        say(b, "What is isobit?")
        b.wait(IDLE % 1)
        check(b.run("return document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than a phone")
        picture(b, "narrow")
        b.click("#show-settings")
        picture(b, "narrow-settings")
        b.close()
        hostile(server)
    finally:
        server.close()
    print(f"{n_passed} checks passed in {subprocess.run(['chromium', '--version'], capture_output=True, text=True).stdout.strip()}")


main()
