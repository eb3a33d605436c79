// Calls of the control API as one member, and the stream of changes.

export class Refused extends Error {
  constructor(answer) {
    super(answer.text || answer.error);
    this.code = answer.error;
  }
}

async function read(response) {
  const answer = await response.json().catch(() => ({ error: `http_${response.status}` }));
  if (!response.ok) throw new Refused(answer);
  return answer;
}

export class Api {
  constructor(member) {
    this.member = member;
    this.base = `/control/members/${encodeURIComponent(member)}`;
  }

  async get(path, query = {}) {
    const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
    return read(await fetch(`${this.base}${path}?${search}`));
  }

  async send(path, body = {}, method = "POST") {
    return read(await fetch(this.base + path, {
      method, headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    }));
  }

  async remove(path, query) {
    return read(await fetch(`${this.base}${path}?${new URLSearchParams(query)}`, { method: "DELETE" }));
  }

  async upload(file) {
    const form = new FormData();
    form.append("file", file, file.name || "picture.png");
    return (await read(await fetch(`${this.base}/files`, { method: "POST", body: form }))).files[0];
  }

  // Streams changes after that number. `onState` hears "live" or "lost"; `onReset` means: read everything again.
  stream(number, { onChange, onReset, onState }) {
    const source = new EventSource(`${this.base}/stream?since=${number}`);
    let isFirst = true;
    source.onopen = () => {
      onState("live");
      if (!isFirst) onReset();
      isFirst = false;
    };
    source.onerror = () => onState("lost");
    source.onmessage = (event) => onChange(JSON.parse(event.data));
    source.addEventListener("reset", onReset);
    return source;
  }
}
