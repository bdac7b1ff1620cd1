#!/usr/bin/env python3
"""batch_client.py PORT WHAT - files and batches of isobit serve; exits 0 when all is as it must be."""
import http.client
import json
import sys
import time

port = int(sys.argv[1])
TEXT = "/v1/completions"


def call(method, path, body=None, content_type="application/json"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    if isinstance(body, dict):
        body = json.dumps(body)
    c.request(method, path, body, {"Content-Type": content_type} if body is not None else {})
    r = c.getresponse()
    text = r.read()
    return r.status, json.loads(text) if "json" in r.headers["Content-Type"] else text.decode()


def send_file(text, name="in.jsonl", purpose="batch"):
    form = (f'--b0\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
            f'--b0\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f'Content-Type: application/octet-stream\r\n\r\n{text}\r\n--b0--\r\n')
    return call("POST", "/v1/files", form, "multipart/form-data; boundary=b0")


def line(i, **body):
    body = {"prompt": f"Number {i}", "max_tokens": 8, "seed": i, **body}
    return json.dumps({"custom_id": f"line {i}", "method": "POST", "url": TEXT, "body": body})


def begin(text):
    status, f = send_file(text)
    assert status == 200 and f["bytes"] == len(text) and f["purpose"] == "batch", f
    status, b = call("POST", "/v1/batches", {"input_file_id": f["id"], "endpoint": TEXT,
                                             "completion_window": "24h", "metadata": {"who": "me"}})
    assert status == 200 and b["status"] == "validating" and b["metadata"] == {"who": "me"}, b
    return b["id"]


def wait(batch, until=("completed", "failed", "cancelled", "expired")):
    for _ in range(600):
        status, b = call("GET", f"/v1/batches/{batch}")
        assert status == 200, b
        if b["status"] in until:
            return b
        time.sleep(0.05)
    raise AssertionError(b)


def answers():
    text = "\n".join([line(i) for i in range(40)] + [line(40, temperature=-1), line(41, model="nobody")])
    b = wait(begin(text))
    assert b["status"] == "completed" and b["request_counts"] == {"total": 42, "completed": 40, "failed": 2}, b
    status, out = call("GET", f"/v1/files/{b['output_file_id']}/content")
    rows = [json.loads(r) for r in out.splitlines()]
    assert [r["custom_id"] for r in rows] == [f"line {i}" for i in range(40)]
    for i in (0, 17, 39):  # alone, the same request has the same answer
        status, one = call("POST", TEXT, json.loads(line(i))["body"])
        body = rows[i]["response"]["body"]
        assert rows[i]["response"]["status_code"] == 200 and body["choices"] == one["choices"], (body, one)
    status, out = call("GET", f"/v1/files/{b['error_file_id']}/content")
    codes = [(json.loads(r)["custom_id"], json.loads(r)["response"]["status_code"]) for r in out.splitlines()]
    assert codes == [("line 40", 400), ("line 41", 404)], codes
    status, page = call("GET", "/v1/files?purpose=batch_output&limit=2")
    assert [f["id"] for f in page["data"]] == [b["error_file_id"], b["output_file_id"]], page
    status, page = call("GET", "/v1/batches?limit=1")
    assert page["data"][0]["id"] == b["id"] and page["first_id"] == page["last_id"] == b["id"], page
    status, gone = call("DELETE", f"/v1/files/{b['output_file_id']}")
    assert status == 200 and gone["deleted"], gone
    assert call("GET", f"/v1/files/{b['output_file_id']}")[0] == 404


def errors():
    b = wait(begin(line(1) + "\nnot json\n" + line(1) + "\n" + line(2, stream=True)))
    found = [(e["line"], e["code"]) for e in b["errors"]["data"]]
    assert b["status"] == "failed", b
    assert found == [(2, "invalid_json_line"), (3, "duplicate_custom_id"), (4, "invalid_parameter")], found
    for text, field in (({"endpoint": TEXT}, "input_file_id"),
                        ({"input_file_id": "file-0", "endpoint": "/v1/models"}, "endpoint"),
                        ({"input_file_id": "file-0", "endpoint": TEXT, "completion_window": "1h"},
                         "completion_window")):
        status, e = call("POST", "/v1/batches", text)
        assert status == 400 and e["error"]["param"] == field, e
    assert call("POST", "/v1/batches", {"input_file_id": "file-0", "endpoint": TEXT})[0] == 404
    status, e = send_file("x", purpose="fine-tune")
    assert status == 400 and e["error"]["param"] == "purpose", e
    assert call("POST", "/v1/files", "--b0\r\n", "multipart/form-data; boundary=b0")[0] == 400
    assert call("POST", "/v1/files", "{}")[0] == 415
    assert call("GET", "/v1/batches?limit=0")[0] == 400


def long_one(n_lines):
    """A batch that takes a while; its id is printed."""
    print(begin("\n".join(line(i, max_tokens=400, ignore_eos=True) for i in range(int(n_lines)))))


def cancel(batch):
    wait(batch, ("in_progress",))
    status, b = call("POST", f"/v1/batches/{batch}/cancel")
    assert status == 200 and b["status"] in ("cancelling", "cancelled"), b
    b = wait(batch)
    assert b["status"] == "cancelled" and b["request_counts"]["completed"] < b["request_counts"]["total"], b
    assert call("POST", f"/v1/batches/{batch}/cancel")[0] == 200


def resumed(batch, n_lines):
    """After a kill in its midst every line has one answer, the same as alone."""
    b, n = wait(batch), int(n_lines)
    assert b["status"] == "completed" and b["request_counts"]["completed"] == n, b
    status, out = call("GET", f"/v1/files/{b['output_file_id']}/content")
    rows = [json.loads(r) for r in out.splitlines()]
    assert [r["custom_id"] for r in rows] == [f"line {i}" for i in range(n)]
    one = call("POST", TEXT, json.loads(line(n - 1, max_tokens=400, ignore_eos=True))["body"])[1]
    assert rows[n - 1]["response"]["body"]["choices"] == one["choices"]


{"answers": answers, "errors": errors, "long": long_one, "cancel": cancel, "resumed": resumed,
 "wait": lambda b: wait(b, ("in_progress",))}[sys.argv[2]](*sys.argv[3:])
