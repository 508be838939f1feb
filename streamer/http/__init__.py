"""The server's HTTP surface: WHIP, WHEP, join, the seats' websocket, REST, limits and errors."""
