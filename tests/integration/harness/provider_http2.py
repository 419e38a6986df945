"""A provider that speaks HTTP/2 only, as the big ones do when they are let. It answers every path with the same body."""

import h2.config
import h2.connection
import h2.events

from harness.provider import Provider, Request


class Http2Provider(Provider):
    def __init__(self, certificate, body):
        super().__init__(certificate)
        self.body = body.encode("utf-8")

    def use_certificate(self, certificate, key):
        super().use_certificate(certificate, key)
        self._tls.set_alpn_protocols(["h2"])

    def _serve_requests(self, connection, stopping):
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        http2.initiate_connection()
        while not stopping.is_set():
            connection.sendall(http2.data_to_send())
            data = connection.recv(65536)
            if not data:
                return
            for event in http2.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self._answer_stream(http2, event)

    def _answer_stream(self, http2, event):
        headers = dict(event.headers)
        request = Request(headers[":path"], headers)
        with self._lock:
            self._requests.setdefault(request.path, []).append(request)
        fields = [(":status", "200"), ("content-type", "application/json"), ("content-length", str(len(self.body)))]
        http2.send_headers(event.stream_id, fields)
        http2.send_data(event.stream_id, self.body, end_stream=True)
