"""A server that answers as a cluster did: it takes a Job, and plays recorded changes of it and its pods, and cuts their log."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

__all__ = ["ClusterServer"]

RECORDED = Path(__file__).parent / "recorded"


class ClusterServer:
    """Plays one recorded sequence.

    Args:
        folder: for the kubeconfig.
        sequence: name of the recording.
        log: parts of the pod's log, each with the lines of one connection; all but the last are cut off.

    Attributes:
        kubeconfig: path of the file that tells of it.
        asked: what was asked of it, as "METHOD PATH".
        refused: by "METHOD PATH": the status and the message with which it is answered.
    """

    def __init__(self, folder, sequence="short-pod", log=()):
        recorded = json.loads((RECORDED / f"{sequence}.json").read_text(encoding="utf-8"))
        self.created = next(each["created"] for each in recorded["events"] if "created" in each)
        self._events = recorded["events"]
        self.log = list(log)
        self.asked, self.refused, self.bodies = [], {}, []
        self.is_deleted = False
        self._is_over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.kubeconfig = folder / "kubeconfig"
        address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(address)))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self):
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def changes(self, kind):
        """Return the recorded lines of a kind, those of lists as if they had been added."""
        found = [each for each in self._events if each.get("kind") == kind]
        listed = [{"type": "ADDED", "object": item} for each in found for item in each.get("list", {}).get("items", ())]
        return [*listed, *(each["line"] for each in found if "line" in each and each["line"]["type"] != "ERROR")]

    def _handler(self):
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                cluster.answer(self)

            def do_POST(self):
                cluster.answer(self)

            def do_DELETE(self):
                cluster.answer(self)

            def log_message(self, *words):
                pass

            def chunks(self, parts, *, cut=False):
                """Send parts as they come; if `cut`, break off in the middle."""
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for part in parts:
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                        self.wfile.flush()
                    if not cut:
                        self.wfile.write(b"0\r\n\r\n")
                self.close_connection = True

            def json(self, status, body):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        return Handler

    def answer(self, handler):
        split = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.bodies.append(body)
        asked = f"{handler.command} {split.path}"
        self.asked.append(asked)
        query = parse_qs(split.query)
        for what, (status, message) in self.refused.items():
            if asked.startswith(what):
                handler.json(status, {"kind": "Status", "message": message, "code": status})
                return
        if handler.command == "POST":
            handler.json(201, self.created)
        elif handler.command == "DELETE":
            self.is_deleted = True
            handler.json(200, {"kind": "Status", "status": "Success"})
        elif split.path.endswith("/log"):
            last = len(self.log) == 1
            part = self.log[0] if last else self.log.pop(0)
            handler.chunks([part], cut=not last)
        elif split.path.endswith("/events"):
            handler.json(
                200, {"items": [{"type": "Warning", "reason": "FailedCreate", "message": "exceeded quota: few"}]}
            )
        else:
            self._objects(handler, "Job" if split.path.endswith("/jobs") else "Pod", is_watch="watch" in query)

    def _objects(self, handler, kind, *, is_watch):
        if not is_watch:
            items = [self.created] if kind == "Job" else []
            handler.json(200, {"metadata": {"resourceVersion": "1"}, "items": items})
            return
        handler.chunks(self._lines(kind))

    def _lines(self, kind):
        for line in self.changes(kind):
            yield json.dumps(line).encode() + b"\n"
        self._is_over.wait(20)


def _kubeconfig(address):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "one", "cluster": {"server": address}}],
        "users": [{"name": "ana", "user": {"token": "a-token"}}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "ana", "namespace": "flows"}}],
        "current-context": "one",
    }
