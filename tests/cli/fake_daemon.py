# SPDX-License-Identifier: MIT
"""Somebody who answers on a daemon's socket, and says what a test wants it to say."""
import os
import socket
import threading


class FakeDaemon:
    """Answers each request with answer(path): the bytes of a body, or a whole answer where these
    begin with HTTP."""

    def __init__(self, directory, answer):
        self.answer, self.path = answer, os.path.join(directory, "pd.sock")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:  # close()
                return
            with connection:
                try:
                    self._reply(connection)
                except OSError:  # who asked has left: it was only a look whether somebody is here
                    pass

    @staticmethod
    def read_head(connection):
        """What came up to the end of the head, and what came with it; empty when nobody asked."""
        request = b""
        while b"\r\n\r\n" not in request:
            chunk = connection.recv(65536)
            if not chunk:
                return b""
            request += chunk
        return request

    def _reply(self, connection):
        request = self.read_head(connection)
        if not request:
            return
        body = self.answer(request.split(b" ")[1].decode().partition("?")[0])
        if not body.startswith(b"HTTP"):
            body = b"HTTP/1.0 200 OK\r\n\r\n" + body
        connection.sendall(body)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
