"""template_oracle.py - Jinja2 as Transformers sets it up, and isobit's render_template beside it."""
import datetime
import json
import signal
import subprocess

import jinja2
import transformers.utils.chat_template_utils as utils

NOW = 1722172800 + 3723  # 2024-07-28 14:22:03, as civil time


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(1970, 1, 1) + datetime.timedelta(seconds=NOW)


utils.datetime = FixedClock


class TooLong(Exception):
    pass


def on_alarm(signum, frame):
    raise TooLong()


signal.signal(signal.SIGALRM, on_alarm)


def oracle(source, context):
    """{"text"} or {"error"}; {"skip"} when Python takes longer than two seconds."""
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        template = utils._compile_jinja_template(source)
        return {"text": template.render(**json.loads(json.dumps(context)))}
    except TooLong:
        return {"skip": True}
    except jinja2.exceptions.TemplateError as e:
        return {"error": f"{type(e).__name__}: {e}", "message": str(e)}
    except (Exception, RecursionError) as e:
        return {"error": f"{type(e).__name__}: {e}"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Renderer:
    """A running render_template --lines."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "--lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, source, context):
        request = {"template": source, "context": context, "now": NOW}
        try:
            self.process.stdin.write((json.dumps(request) + "\n").encode())
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise SystemExit(f"render_template died at {source!r}")
        return json.loads(line)
