"""A receiver of lineage for tests, on a loopback port that the system chooses.

usage: lineage_server.py DIR ANSWER...
DIR/port is written when it listens.  Each request gets the next answer, the last one for good: a status, "hang" (no answer) or "close" (the connection ends).
With TLS=FILE in the environment, a certificate and its key, it speaks https.
What came is kept in DIR/events.ndjson (bodies, unpacked) and DIR/requests.ndjson (status, path, headers).  SIGTERM ends it.
"""
import gzip
import http.server
import json
import os
import signal
import ssl
import sys
import threading

where, answers = sys.argv[1], sys.argv[2:]
lock = threading.Lock()
over = threading.Event()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with lock:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            with open(where + "/events.ndjson", "ab") as f:
                f.write(body + b"\n")
            with open(where + "/requests.ndjson", "a") as f:
                f.write(json.dumps({"answer": answer, "path": self.path, "headers": dict(self.headers)}) + "\n")
        if answer == "hang":
            over.wait()
        if answer in ("hang", "close"):
            self.close_connection = True
            return
        self.send_response(int(answer))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


signal.signal(signal.SIGTERM, lambda *a: os._exit(0))
server = Server(("127.0.0.1", int(os.environ.get("PORT", "0"))), Receiver)
if os.environ.get("TLS"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["TLS"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(where + "/port.new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(where + "/port.new", where + "/port")
server.serve_forever()
