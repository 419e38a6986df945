"""A small synchronous HTTP/2 client over python3-h2, for prior knowledge and for TLS."""

import h2.config
import h2.connection
import h2.events

from harness.http1 import ConnectionEnded, Response


GOAWAY = 0x7


class StreamReset(Exception):
    """The server reset the stream before its answer was whole."""

    def __init__(self, error_code):
        super().__init__(f"stream reset with error code {error_code}")
        self.error_code = error_code


class Stream:
    def __init__(self, body):
        self.headers = None
        self.body = bytearray()
        self.outgoing = memoryview(body)
        self.is_body_sent = False
        self.is_ended = False
        self.reset_code = None


class Http2Connection:
    version = "HTTP/2"

    def __init__(self, sock, scheme):
        self.sock = sock
        self.scheme = scheme
        self.streams = {}
        self.has_settings = False
        self.goaway_code = None
        self.last_stream_id = None  # that the server takes, once it has said so
        self.unread = bytearray()
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True, header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False
            )
        )
        self.h2.initiate_connection()
        self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def request(self, method, path, headers=(), body=None):
        return self.response(self.start(method, path, headers, body))

    def start(self, method, path, headers=(), body=None, ends=True):
        """Opens a stream and sends as much of the body as the windows allow; gives the stream's id."""
        self._wait(lambda: self.has_settings)
        limit = self.h2.remote_settings.max_concurrent_streams
        self._wait(lambda: self.h2.open_outbound_streams < limit)
        stream_id = self.h2.get_next_available_stream_id()
        lines = [(":method", method), (":scheme", self.scheme), (":path", path), (":authority", "localhost")]
        lines += [(name.lower(), value) for name, value in headers]
        if body is not None and ends:
            lines.append(("content-length", str(len(body))))
        stream = self.streams[stream_id] = Stream(body or b"")
        self.h2.send_headers(stream_id, lines, end_stream=body is None and ends)
        stream.is_body_sent = body is None
        stream.ends = ends
        self._send_bodies()
        return stream_id

    def finish(self, stream_id, body):
        """Sends the rest of the body of a stream that was started with ends=False."""
        stream = self.streams[stream_id]
        stream.outgoing = memoryview(bytes(stream.outgoing) + body)
        stream.is_body_sent, stream.ends = False, True
        self._send_bodies()

    def response(self, stream_id):
        stream = self.streams[stream_id]
        self._wait(lambda: stream.is_ended or stream.reset_code is not None)
        if not stream.is_ended:
            raise StreamReset(stream.reset_code)
        headers = [(str(name), str(value)) for name, value in stream.headers]
        status = int(dict(headers)[":status"])
        return Response(status, [h for h in headers if not h[0].startswith(":")], bytes(stream.body), self.version)

    def wait_for_goaway(self):
        self._wait(lambda: self.goaway_code is not None)

    def is_closed_by_peer(self):
        try:
            self._wait(lambda: False)
        except (ConnectionEnded, ConnectionResetError):
            return True

    def _wait(self, is_done):
        while not is_done():
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionEnded("HTTP/2 connection closed")
            for event in self.h2.receive_data(self._without_goaway(data)):
                self._handle(event)
            self._send_bodies()

    def _without_goaway(self, data):
        """The library takes a GOAWAY for the end, though streams that are open go on (RFC 9113 section 6.8): it is kept from it."""
        self.unread += data
        kept = b""
        while len(self.unread) >= 9:
            size = 9 + int.from_bytes(self.unread[:3], "big")
            if len(self.unread) < size:
                break
            frame = bytes(self.unread[:size])
            del self.unread[:size]
            if frame[3] == GOAWAY:
                self.last_stream_id = int.from_bytes(frame[9:13], "big") & 0x7FFFFFFF
                self.goaway_code = int.from_bytes(frame[13:17], "big")
            else:
                kept += frame
        return kept

    def _handle(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.has_settings = True
        elif stream is None:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            stream.headers = event.headers
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.is_ended = True
            stream.is_body_sent = True  # whatever is left of it is not wanted any more
        elif isinstance(event, h2.events.StreamReset):
            stream.reset_code = event.error_code
            stream.is_body_sent = True

    def _send_bodies(self):
        for stream_id, stream in self.streams.items():
            while not stream.is_body_sent:
                room = min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size)
                part, rest = stream.outgoing[:room], stream.outgoing[room:]
                if len(part) == 0 and len(rest) > 0:
                    break
                is_last = len(rest) == 0
                self.h2.send_data(stream_id, part.tobytes(), end_stream=is_last and stream.ends)
                stream.outgoing = rest
                stream.is_body_sent = is_last
        self._flush()

    def _flush(self):
        data = self.h2.data_to_send()
        if data:
            try:
                self.sock.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # what the server said before it closed can still be read
