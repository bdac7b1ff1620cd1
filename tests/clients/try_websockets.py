#!/usr/bin/env python3
"""try_websockets.py PORT - calls isobit serve --socket-port through the Python packages websockets and
websocket-client, those of them that are installed: calls, streams, fragments, pings, good-byes, a foreign page.
"""
import asyncio
import importlib.util
import json
import sys

PORT = int(sys.argv[1])
URL = f"ws://127.0.0.1:{PORT}"
ASK = {"prompt": "Hello there", "max_tokens": 30, "seed": 7}
LONG = dict(ASK, max_tokens=2000, ignore_eos=True, stream=True)


async def with_websockets():
    import websockets

    async with websockets.connect(URL) as ws:
        hello = json.loads(await ws.recv())
        assert hello["status"] == "connected", hello

        async def call(function, params, id="a"):
            await ws.send(json.dumps({"id": id, "function": function, "params": params}))
            return json.loads(await ws.recv())

        whole = (await call("generate", ASK))["data"]["text"]
        await ws.send([json.dumps({"id": "s", "function": "generate"})[:-1], ', "params": ',
                       json.dumps(dict(ASK, stream=True)), "}"])  # in fragments
        text = ""
        while (m := json.loads(await ws.recv()))["status"] == "streaming":
            text += m["data"]["text"]
        assert m["status"] == "complete" and text == m["data"]["text"] == whole, m
        await (await ws.ping(b"are you there"))
        m = await call("generate", dict(ASK, prompt="é" * 100000))
        assert m["error"]["code"] == "DISPATCH_ERROR", m
        await ws.send(b"\x00\x01")
        assert json.loads(await ws.recv()) == {"error": "Binary messages not supported"}
        await call("generate", LONG, "long")
        await ws.send(json.dumps({"id": "c", "function": "cancel", "params": {"id": "long"}}))
        while (m := json.loads(await ws.recv()))["status"] == "streaming":
            pass
        assert m == {"id": "long", "status": "cancelled"}, m
    assert ws.close_code == 1000, ws.close_code

    async def other(i):
        async with websockets.connect(URL) as ws:
            await ws.recv()
            await ws.send(json.dumps({"id": str(i), "function": "generate", "params": ASK}))
            assert json.loads(await ws.recv())["data"]["text"] == whole

    await asyncio.gather(*(other(i) for i in range(20)))
    try:
        async with websockets.connect(URL, origin="http://evil.example"):
            raise AssertionError("a foreign page got in")
    except websockets.exceptions.InvalidHandshake as e:
        assert "403" in str(e), e
    return websockets.__version__ if hasattr(websockets, "__version__") else websockets.version.version


def with_websocket_client():
    import websocket

    ws = websocket.create_connection(URL)
    assert json.loads(ws.recv())["status"] == "connected"
    ws.send(json.dumps({"id": "a", "function": "generate", "params": dict(ASK, stream=True)}))
    text = ""
    while (m := json.loads(ws.recv()))["status"] == "streaming":
        text += m["data"]["text"]
    assert text == m["data"]["text"]
    ws.ping("x")
    assert ws.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_PONG, b"x")
    ws.close()
    try:
        websocket.create_connection(URL, origin="http://evil.example")
        raise AssertionError("a foreign page got in")
    except websocket.WebSocketBadStatusException as e:
        assert e.status_code == 403
    return websocket.__version__


tried = 0
if importlib.util.find_spec("websockets"):
    print("websockets", asyncio.run(with_websockets()))
    tried += 1
if importlib.util.find_spec("websocket"):
    print("websocket-client", with_websocket_client())
    tried += 1
if not tried:
    print("neither package is installed: nothing tried")
