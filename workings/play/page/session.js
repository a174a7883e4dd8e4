// The way to the backend.  The page knows nothing of it but `ask`; a backend without a server can take its place.
import { decoded } from "./state.js";

export function connect(whenClosed) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/session`);
  const waiting = new Map();
  let count = 0;
  const opened = new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  socket.addEventListener("message", (event) => {
    const { id, reply, error } = JSON.parse(event.data);
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(decoded(reply)); else reject(new Error(error));
  });
  socket.addEventListener("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("closed"));
    waiting.clear();
    whenClosed();
  });
  return {
    get waiting() { return waiting.size; },
    async ask(action, fields = {}) {
      await opened;
      if (socket.readyState !== WebSocket.OPEN) throw new Error("closed");
      const id = ++count;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, do: action, ...fields }));
      });
    },
  };
}
